"""Transaction Status, pinned by the samples of Safaricom's portal."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.errors import Invalid
from appliance.domain.paybills import Credentials, Paybill, PaybillInfo
from appliance.mpesa import status

RECORDED = Path(__file__).parents[1] / "recorded" / "daraja"
KEYS = Credentials(
    consumer_key="key",
    consumer_secret="secret",
    pass_key="passkey",
    initiator_name="testapiuser",
    security_credential="U2FmYXJpY29t",
)
PAYBILL = Paybill(id="1", paybill_info=PaybillInfo(number="174379", name="P"), credentials=KEYS)
TILL_INFO = PaybillInfo(number="5551234", name="T", type="till", store_number="600984")
TILL = Paybill(id="2", paybill_info=TILL_INFO, credentials=KEYS)


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return found


def result(*items: object, **changes: Any) -> str:
    message = recorded("status_result")
    listed = message["Result"]["ResultParameters"]["ResultParameter"]
    kept = [item for item in listed if item["Key"] not in changes]
    named = [{"Key": name, "Value": value} for name, value in changes.items()]
    message["Result"]["ResultParameters"]["ResultParameter"] = [*kept, *named, *items]
    return json.dumps(message)


def test_the_recorded_result_names_everything_but_who_got_the_money() -> None:
    told, payload = status.result(json.dumps(recorded("status_result")))
    assert told.completed
    assert (told.receipt, told.amount) == ("MBN31H462N", Decimal(300))
    assert (told.payer, told.payee) == ("254708374149", "")
    assert told.at == datetime(2018, 2, 23, 2, 41, 12, tzinfo=UTC)
    money = told.money("600782")
    assert money is not None
    assert (money.receipt, money.short_code, money.reference) == ("MBN31H462N", "600782", "")
    said = payload["Result"]
    assert isinstance(said, dict)
    assert said["ConversationID"] == "AG_20180223_0000493344ae97d86f75"


def test_a_question_has_the_fields_that_safaricom_prints() -> None:
    body = status.question(PAYBILL, "NEF61H8J60", "https://a.example/r", "https://a.example/t")
    assert body.keys() == recorded("status").keys() - {"OriginalConversationID"}
    assert (body["CommandID"], body["TransactionID"]) == ("TransactionStatusQuery", "NEF61H8J60")
    assert (body["PartyA"], body["IdentifierType"]) == ("174379", "4")


def test_a_till_asks_as_its_store() -> None:
    assert status.question(TILL, "NEF61H8J60", "https://a", "https://b")["PartyA"] == "600984"


def test_the_first_of_two_values_counts_and_an_empty_one_is_none() -> None:
    body = result({"Key": "Amount"}, {"Key": "Amount", "Value": "1"}, TransactionReason=None)
    assert status.result(body)[0].amount == 300


def test_one_parameter_alone_needs_no_list() -> None:
    message = recorded("status_result")
    one = {"Key": "ReceiptNo", "Value": "MBN31H462N"}
    message["Result"]["ResultParameters"]["ResultParameter"] = one
    told, _ = status.result(json.dumps(message))
    assert told.receipt == "MBN31H462N"
    assert told.money("174379") is None


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("174379 - Mwangaza Wi-Fi", "174379"),
        ("174379", "174379"),
        (174379, "174379"),
        ("174379 - José", "174379"),
        ("174379-Shop", "174379-Shop"),
        ("", ""),
        ([], ""),
        (True, ""),
    ],
)
def test_a_party_is_the_number_in_front_of_its_name(name: object, number: str) -> None:
    assert status.result(result(CreditPartyName=name))[0].payee == number


@pytest.mark.parametrize("said", ["Failed", "Reversed", "", None, "completedly", 0])
def test_only_completed_money_has_moved(said: object) -> None:
    assert not status.result(result(TransactionStatus=said))[0].completed


def test_a_failure_found_nothing() -> None:
    told, _ = status.result(json.dumps(recorded("reversal_failed")))
    assert (told.code, told.completed, told.receipt) == ("R000002", False, None)


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"Result": []}', '{"Result": {}}', '{"Result": {"ResultCode": []}}']
)
def test_what_is_no_result_is_refused(body: str) -> None:
    with pytest.raises(Invalid):
        status.result(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["ResultParameter", "Key", "Value", "Amount", "ReceiptNo"]), inner
            )
        ),
    )
)
def test_no_shape_of_the_parameters_is_too_strange(parameters: object) -> None:
    body = json.dumps({"Result": {"ResultCode": 0, "ResultParameters": parameters}})
    told, _ = status.result(body)
    assert told.code == "0"
