"""The names that Safaricom makes up look like its own."""

import hashlib
import re
from datetime import UTC, datetime

import pytest

from appliance.sandbox.daraja import byhand, fields, names, notices, results
from appliance.sandbox.daraja.accounts import MERCHANTS, Merchant
from appliance.sandbox.daraja.ledger import Paid
from appliance.sandbox.daraja.phone import receipt_sms, refused_sms

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


def paid(merchant: Merchant) -> Paid:
    return Paid(
        phone="254796440427",
        receipt="QKH94M1Z11",
        amount=1250,
        account="ABC123DEF4",
        short_code=merchant.short_code,
        checkout_request_id=None,
        at=MORNING,
    )


def test_the_message_names_the_account_of_a_paybill_and_not_of_a_till() -> None:
    paybill, till = MERCHANTS
    said = receipt_sms(paybill, paid(paybill), 98_750)
    assert said.startswith(
        "QKH94M1Z11 Confirmed. Ksh1,250.00 sent to Mwangaza Wi-Fi for account ABC123DEF4 "
        "on 17/11/22 at 3:57 PM. New M-PESA balance is Ksh98,750.00."
    )
    assert "account" not in receipt_sms(till, paid(till), 98_750)


def test_each_refusal_of_a_merchant_has_its_own_words() -> None:
    codes = [f"C2B000{number}" for number in range(11, 17)]
    said = {refused_sms(MERCHANTS[0], paid(MERCHANTS[0]), code) for code in [*codes, "no answer"]}
    assert len(said) == 7
    assert all("Ksh1,250.00 to Mwangaza Wi-Fi was not made" in text for text in said)


def test_v2_masks_a_payer_and_v1_hashes_it() -> None:
    assert notices.masked("254700000126") == "2547 ***** 126"
    digest = hashlib.sha256(b"254796440427").hexdigest()
    assert notices.hashed("254796440427") == digest


@pytest.mark.parametrize(
    ("typed", "phone"),
    [
        ("0712 345 678", "254712345678"),
        ("0112-345-678", "254112345678"),
        ("712345678", "254712345678"),
        ("+254 712 345 678", "254712345678"),
        ("0212345678", "0212345678"),
        ("", ""),
    ],
)
def test_a_person_types_a_number_as_people_do(typed: str, phone: str) -> None:
    assert byhand.typed_phone(typed) == phone


@pytest.mark.parametrize(
    ("typed", "amount"), [(" 50 ", 50), ("", 0), ("5.50", 0), ("-5", 0), ("\u0665", 0)]
)
def test_an_amount_is_whole_shillings(typed: str, amount: int) -> None:
    assert byhand.typed_amount(typed) == amount


@pytest.mark.parametrize(
    "url",
    [
        "https://pay.example.com/hooks/0f3a/c2b/confirmation",
        "http://127.0.0.1:8081/hooks/0f3a/c2b/validation",
    ],
)
def test_a_plain_url_can_be_registered(url: str) -> None:
    assert fields.is_c2b_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://pay.example.com/c2b",
        "https://mpesa.example.com/c2b",
        "https://pay.example.com/M-PESA",
        "http://127.0.0.1:8081/api/webhooks/mpesa",
        "https://pay.example.com/safariCom",
        "https://pay.example.com/execute",
        "https://pay.example.com/sqlite",
        "https://pay.example.com/a?b=cmd",
        "https://pay.example.com/Query",
        "https://a1b2.ngrok.io/c2b",
        "https://mockbin.org/c2b",
        "https://requestbin.com/c2b",
        "",
    ],
)
def test_a_url_with_a_forbidden_word_cannot(url: str) -> None:
    assert not fields.is_c2b_url(url)


def test_secrets_stay_out_of_a_merchants_repr() -> None:
    for merchant in MERCHANTS:
        for secret in (merchant.consumer_key, merchant.consumer_secret, merchant.passkey):
            assert secret not in repr(merchant)


def test_one_code_is_a_number_in_a_callback_and_text_in_a_query() -> None:
    assert results.in_a_callback("1037") == (1037, "No response from user.")
    assert results.in_a_query("1037") == ("1037", "DS timeout user cannot be reached.")
    assert results.in_a_callback("E3008")[0] == "E3008"
