import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain import ids
from appliance.domain.receipts import LONGEST_MESSAGE, Typed, meant, plausible

RECEIPT, CODE = "QKH94M1Z11", "ACDEF34679"
SENT = f"{RECEIPT} Confirmed. Ksh10.00 sent to NJERI WIFI for account {CODE} on 3/11/26 at 1:02 PM"


@pytest.mark.parametrize(
    ("text", "code", "receipt"),
    [
        (SENT, CODE, RECEIPT),
        (f"{RECEIPT} Confirmed. Ksh10.00 sent to NJERI for account wifi on 3/11/26", "", RECEIPT),
        (f"{RECEIPT} Imethibitishwa. Ksh10.00 imetumwa kwa NJERI akaunti {CODE}", CODE, RECEIPT),
        (f"{RECEIPT}  confirmed.Ksh10.00 paid to NJERI.", "", RECEIPT),
        (f"MPESA: {RECEIPT.lower()}\nConfirmed. You have bought", "", RECEIPT),
        (f"{RECEIPT} Confirmed. Ksh1000000.00 sent to 0712345678", "", RECEIPT),
        ("RKTQDMWWSS Confirmed. Ksh10.00 sent", "", "RKTQDMWWSS"),
        (f"Mama Njeri WiFi: your code is {CODE}. Keep it.", CODE, CODE),
        (f"  {RECEIPT} ", RECEIPT, RECEIPT),
        (f"\u200e{RECEIPT}\ufeff", RECEIPT, RECEIPT),
        ("acd-ef3 4679", CODE, CODE),
        ("0123456789", "0123456789", ""),
        ("MYCODE", "MYCODE", ""),
        ("", "", ""),
        ("Confirmed. Ksh10.00 sent to", "CONFIRMED.KSH10.00SENTTO", ""),
    ],
)
def test_what_is_typed_or_pasted_is_understood(text: str, code: str, receipt: str) -> None:
    assert meant(text) == Typed(code, receipt)


@pytest.mark.parametrize("text", [SENT, f"{RECEIPT} Confirmed."])
def test_the_receipt_of_an_sms_is_one_for_sure(text: str) -> None:
    assert meant(text).certain
    assert not meant(RECEIPT).certain
    assert not meant("MYCODE").certain


def test_a_code_of_ours_is_always_tried_as_a_code() -> None:
    for _ in range(200):
        code = ids.new_voucher_code()
        assert meant(code).code == code
        assert meant(f"{code[:3]} {code[3:6]} {code[6:]}".lower()).code == code


@given(
    st.text(max_size=60), st.sampled_from(["", SENT, RECEIPT, "\0", "\u0130\u017f\ufb03", "9" * 70])
)
def test_whatever_is_pasted_nothing_long_or_strange_is_taken_for_a_receipt(
    text: str, more: str
) -> None:
    for pasted in (text + more, more + text, (more + text) * 40):
        typed = meant(pasted)
        assert typed == meant(pasted[:LONGEST_MESSAGE])
        assert len(typed.code) <= 3 * ids.LONGEST
        assert not typed.receipt or plausible(typed.receipt)
        assert typed.receipt.isascii()
