"""The names that Safaricom makes up look like its own."""

import re
from datetime import UTC, datetime

import pytest

from appliance.sandbox.daraja import names, results
from appliance.sandbox.daraja.accounts import MERCHANTS
from appliance.sandbox.daraja.phone import Prompt, receipt_sms

MORNING = datetime(2022, 11, 17, 12, 57, 30, 304_000, tzinfo=UTC).astimezone(names.EAST_AFRICA)


@pytest.mark.parametrize(
    ("year", "month", "day", "start"),
    [(2022, 11, 17, "QKH"), (2025, 9, 16, "TIG"), (2026, 1, 9, "UA9"), (2026, 12, 31, "ULV")],
)
def test_a_receipt_starts_with_its_day(year: int, month: int, day: int, start: str) -> None:
    receipt = names.receipt(datetime(year, month, day, tzinfo=names.EAST_AFRICA))
    assert re.fullmatch(start + "[0-9A-Z]{7}", receipt)


def test_a_checkout_id_is_the_recorded_one() -> None:
    named = names.checkout_request_id(MORNING, "254796440427")
    assert named == "ws_CO_17112022155730304796440427"


def test_time_is_written_in_nairobi() -> None:
    assert names.stamp(datetime(2026, 11, 23, 22, 0, tzinfo=UTC)) == "20261124010000"


def test_the_message_names_the_account_of_a_paybill_and_not_of_a_till() -> None:
    paybill, till = MERCHANTS
    prompt = Prompt("1", "254796440427", 1250, "ABC123DEF4", "Mwangaza")
    said = receipt_sms(paybill, prompt, "QKH94M1Z11", MORNING, 98_750)
    assert said.startswith(
        "QKH94M1Z11 Confirmed. Ksh1,250.00 sent to Mwangaza for account ABC123DEF4 "
        "on 17/11/22 at 3:57 PM. New M-PESA balance is Ksh98,750.00."
    )
    assert "account" not in receipt_sms(till, prompt, "QKH94M1Z11", MORNING, 98_750)


def test_secrets_stay_out_of_a_merchants_repr() -> None:
    for merchant in MERCHANTS:
        for secret in (merchant.consumer_key, merchant.consumer_secret, merchant.passkey):
            assert secret not in repr(merchant)


def test_one_code_is_a_number_in_a_callback_and_text_in_a_query() -> None:
    assert results.in_a_callback("1037") == (1037, "No response from user.")
    assert results.in_a_query("1037") == ("1037", "DS timeout user cannot be reached.")
    assert results.in_a_callback("E3008")[0] == "E3008"
