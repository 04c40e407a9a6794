"""Daraja's messages, pinned by samples; the shapes are those printed on its portal or captured."""

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.errors import Invalid
from appliance.domain.evidence import Verdict
from appliance.domain.paybills import Credentials, Paybill, PaybillInfo
from appliance.mpesa import results, wire

NOW = datetime(2026, 11, 23, 21, 30, 5, tzinfo=UTC)
KEYS = Credentials(consumer_key="key", consumer_secret="secret", pass_key="passkey")
PAYBILL = Paybill(id="1", paybill_info=PaybillInfo(number="174379", name="P"), credentials=KEYS)
TILL_INFO = PaybillInfo(number="5551234", name="T", type="till", store_number="600984")
TILL = Paybill(id="2", paybill_info=TILL_INFO, credentials=KEYS)


def push(paybill: Paybill) -> dict[str, str]:
    return wire.stk_push(
        paybill,
        phone="254712345678",
        amount=10,
        reference="ABC3DEF4GH",
        description="Internet time",
        callback_url="https://pay.example/hooks/aa/stk/bb",
        now=NOW,
    )


def callback(**changes: Any) -> str:
    inner: dict[str, Any] = {
        "MerchantRequestID": "11225-96181251-1",
        "CheckoutRequestID": "ws_CO_17112022155730304712345678",
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {
            "Item": [
                {"Name": "Amount", "Value": 1.00},
                {"Name": "MpesaReceiptNumber", "Value": "QKH94M1Z11"},
                {"Name": "Balance"},
                {"Name": "TransactionDate", "Value": 20221117155745},
                {"Name": "PhoneNumber", "Value": 254712345678},
            ]
        },
    }
    return json.dumps({"Body": {"stkCallback": inner | changes}})


def test_the_timestamp_is_east_african_and_the_password_is_built_from_it() -> None:
    body = push(PAYBILL)
    assert body["Timestamp"] == "20261124003005"
    assert base64.b64decode(body["Password"]) == b"174379passkey20261124003005"


def test_a_paybill_pays_itself_and_a_till_pushes_under_its_store() -> None:
    assert push(PAYBILL)["TransactionType"] == "CustomerPayBillOnline"
    assert push(PAYBILL)["PartyB"] == push(PAYBILL)["BusinessShortCode"] == "174379"
    assert push(TILL)["TransactionType"] == "CustomerBuyGoodsOnline"
    assert (push(TILL)["BusinessShortCode"], push(TILL)["PartyB"]) == ("600984", "5551234")


def test_a_success_is_read_by_name() -> None:
    evidence, payload = wire.callback_evidence(callback())
    assert evidence.verdict is Verdict.PAID
    assert evidence.receipt == "QKH94M1Z11"
    assert evidence.amount == Decimal(1)
    assert evidence.phone == "254712345678"
    assert payload["Body"]["stkCallback"]["ResultCode"] == 0  # type: ignore[index]


def test_a_success_without_any_item_is_still_a_success() -> None:
    evidence, _ = wire.callback_evidence(callback(CallbackMetadata=None))
    assert evidence.verdict is Verdict.PAID
    assert (evidence.receipt, evidence.amount) == (None, None)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (1032, Verdict.CANCELLED),
        ("1032", Verdict.CANCELLED),
        (1037, Verdict.FAILED),
        (2001, Verdict.FAILED),
        ("E3008", Verdict.FAILED),
        ("SFC_IC0003", Verdict.FAILED),
        (4999, Verdict.UNDECIDED),
        ("never seen", Verdict.FAILED),
    ],
)
def test_codes_are_text_and_a_callback_is_final(code: object, verdict: Verdict) -> None:
    evidence, _ = wire.callback_evidence(callback(ResultCode=code, CallbackMetadata=None))
    assert evidence.verdict is verdict


@pytest.mark.parametrize("code", ["4999", "2029", "never seen", ""])
def test_a_query_with_an_unknown_code_proves_nothing(code: str) -> None:
    assert results.of_query(code)[0] is Verdict.UNDECIDED


def test_a_query_error_proves_nothing() -> None:
    answer = {"requestId": "x", "errorCode": "500.001.1001", "errorMessage": ""}
    assert wire.query_evidence(answer).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        '{"Body": []}',
        '{"Body": {"stkCallback": 3}}',
        '{"Body": {"stkCallback": {}}}',
        '{"Body": {"stkCallback": {"ResultCode": true}}}',
        '{"Body": {"stkCallback": {"ResultCode": NaN}}}',
        "[" * 100_000,
    ],
)
def test_what_is_not_a_callback_is_said_to_be_none(body: str) -> None:
    with pytest.raises(Invalid):
        wire.callback_evidence(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["MerchantRequestID", "CheckoutRequestID", "ResultCode", "ResultDesc", "Other"]
        ),
        JSON,
    ),
    JSON,
)
def test_no_json_in_the_world_breaks_the_reader(inner: dict[str, Any], metadata: object) -> None:
    body = json.dumps({"Body": {"stkCallback": inner | {"CallbackMetadata": metadata}}})
    try:
        evidence, _ = wire.callback_evidence(body)
    except Invalid:
        return
    assert (evidence.verdict is Verdict.PAID) == (str(inner["ResultCode"]).strip() == "0")


@given(st.text())
def test_no_text_in_the_world_breaks_the_reader(body: str) -> None:
    with pytest.raises(Invalid):
        wire.callback_evidence(body)


def test_numbers_beyond_all_measure_are_no_message() -> None:
    body = callback(ResultCode=0).replace('"Value": 1.0', '"Value": 1e99999999999999999999')
    with pytest.raises(Invalid):
        wire.callback_evidence(body)


@pytest.mark.parametrize("value", [False, [None], "1,00", "NaN", "1e99", "-1", 2**63])
def test_a_success_with_an_amount_that_is_none_proves_nothing(value: object) -> None:
    items = {"Item": [{"Name": "Amount", "Value": value}]}
    with pytest.raises(Invalid):
        wire.callback_evidence(callback(CallbackMetadata=items))


@pytest.mark.parametrize("name", [False, [], "", "…", "x" * 200])
def test_a_success_of_a_push_that_has_no_name_proves_nothing(name: object) -> None:
    with pytest.raises(Invalid):
        wire.callback_evidence(callback(CheckoutRequestID=name))


@pytest.mark.parametrize("amount", ["1e99", "-5.00", 2**63, True, None, "NaN"])
def test_money_of_no_possible_amount_is_no_money(amount: object) -> None:
    said = {"TransID": "RKL51ZDR4F", "TransAmount": amount, "BusinessShortCode": "174379"}
    with pytest.raises(Invalid):
        wire.received(json.dumps(said))


@pytest.mark.parametrize("moment", ["00010101000000", "99999999999999", "", "soon"])
def test_money_of_no_possible_time_is_still_money(moment: str) -> None:
    said = {"TransID": "RKL51ZDR4F", "TransAmount": "5", "BusinessShortCode": "174379"}
    money, _ = wire.received(json.dumps({**said, "TransTime": moment}))
    assert (money.amount, money.at) == (Decimal(5), None)


def test_an_item_named_with_half_a_character_is_left_out() -> None:
    items = {"Item": [{"Name": "\ud800", "Value": 1}, {"Name": "Amount", "Value": 1}]}
    _, payload = wire.callback_evidence(callback(CallbackMetadata=items))
    assert "\\ud800" not in json.dumps(payload)


@pytest.mark.parametrize("receipt", [13358825064825244, 1.3358825064825244e16, True, None, ""])
def test_a_receipt_is_text_and_no_number(receipt: object) -> None:
    said = {"TransID": receipt, "TransAmount": "5", "BusinessShortCode": "174379"}
    with pytest.raises(Invalid):
        wire.received(json.dumps(said))
    row = {"transactionId": receipt, "amount": "5"}
    assert wire.pulled({"Response": [[row]]}, "174379") == (1, [])


def test_a_confirmation_needs_no_more_than_receipt_amount_and_short_code() -> None:
    money, _ = wire.received(
        json.dumps({"TransID": "ukn7k2m9qx", "TransAmount": 10, "BusinessShortCode": 174379})
    )
    assert (money.receipt, money.amount, money.short_code) == ("UKN7K2M9QX", Decimal(10), "174379")
    assert (money.reference, money.msisdn, money.at) == ("", "", None)


def test_a_pulls_list_is_nested_twice_or_empty_in_words() -> None:
    row = {
        "transactionId": "yzlyrEsRG1",
        "amount": "168.00",
        "billreference": "WIFI",
        "msisdn": 722,
    }
    rows, (money,) = wire.pulled({"Response": [[row, {"amount": "1"}, "x"]]}, "600000")
    assert rows == 3
    assert (money.receipt, money.amount, money.msisdn) == ("YZLYRESRG1", Decimal("168.00"), "722")
    empty: tuple[object, ...] = ("[[]]", [[]], [], None, {"a": 1})
    for nothing in empty:
        assert wire.pulled({"Response": nothing}, "600000") == (0, [])


@pytest.mark.parametrize("literal", ["0e0", "0.0", "-0.0", "0E+2"])
def test_a_result_code_that_only_equals_zero_is_no_success(literal: str) -> None:
    body = f'{{"Body": {{"stkCallback": {{"ResultCode": {literal}, "ResultDesc": "x"}}}}}}'
    with pytest.raises(Invalid):
        wire.callback_evidence(body)
