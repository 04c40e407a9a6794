"""The pretend Safaricom's reconciliation: Pull Transactions, Transaction Status, Reversal."""

import base64
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance.domain.paybills import Credentials, Paybill, PaybillInfo
from appliance.mpesa import reversal
from appliance.sandbox.daraja import names
from appliance.sandbox.daraja.accounts import MERCHANTS, Merchant
from appliance.sandbox.daraja.ledger import Paid
from appliance.sandbox.daraja.server import DarajaOptions, PretendDaraja, pretend_daraja
from tests.contract.test_pretend_daraja import (
    OTHER_PHONE,
    PHONE,
    SAMPLES,
    Shop,
    like,
    refused,
    shape,
    street,
)

PAYBILL, TILL = MERCHANTS
PULL_REGISTER, PULL = "/pulltransactions/v1/register", "/pulltransactions/v1/query"
STATUS, REVERSAL = "/mpesa/transactionstatus/v1/query", "/mpesa/reversal/v1/request"
CREDENTIAL = base64.b64encode(b"c" * 256).decode()


class Office(Shop):
    """A shop that looks into its books."""

    async def pull_registers(self, **changes: Any) -> dict[str, Any]:
        answer = await self.post(PULL_REGISTER, self.pull_registration(**changes))
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def pull_registration(self, **changes: Any) -> dict[str, Any]:
        right = {
            "ShortCode": self.merchant.short_code,
            "RequestType": "Pull",
            "NominatedNumber": "0722000000",
            "CallBackURL": self.callback_url,
        }
        return right | changes

    def window(self, **changes: Any) -> dict[str, Any]:
        """Return a pull of the last hour."""
        right = {
            "ShortCode": self.merchant.short_code,
            "StartDate": date(timedelta(hours=-1)),
            "EndDate": date(timedelta(minutes=1)),
            "OffSetValue": "0",
        }
        return right | changes

    async def pulls(self, **changes: Any) -> list[dict[str, Any]]:
        """Return the rows of one pull."""
        answer = await self.post(PULL, self.window(**changes))
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]]
        (rows,) = answer.json()["Response"]
        return rows

    def initiated(self, **changes: Any) -> dict[str, Any]:
        """Return a right status request; a change to `...` leaves the field out."""
        right = {
            "Initiator": self.merchant.initiator,
            "SecurityCredential": CREDENTIAL,
            "CommandID": "TransactionStatusQuery",
            "TransactionID": "NEF61H8J60",
            "OriginalConversationID": "",
            "PartyA": self.merchant.short_code,
            "IdentifierType": "4",
            "ResultURL": self.callback_url + "/result",
            "QueueTimeOutURL": self.callback_url + "/queue",
            "Remarks": "OK",
            "Occasion": "",
        }
        return {name: value for name, value in (right | changes).items() if value is not ...}

    def reversal(self, paid: Paid, **changes: Any) -> dict[str, Any]:
        """Return a right reversal of a payment."""
        right = {
            "CommandID": "TransactionReversal",
            "TransactionID": paid.receipt,
            "Amount": str(paid.amount),
            "ReceiverParty": self.merchant.short_code,
            "RecieverIdentifierType": "11",
        }
        absent = "OriginalConversationID", "PartyA", "IdentifierType", "Occasion"
        return self.initiated(**dict.fromkeys(absent, ...) | right | changes)

    async def told(self, times: int = 1) -> dict[str, Any]:
        """Return the last result, once there are so many."""
        ledger = self.daraja.ledger
        await ledger.wait_for(lambda now: len(now.results) >= times, timeout=5)
        result: dict[str, Any] = ledger.results[-1].body["Result"]
        return result

    async def asks(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask, and return the result that follows."""
        before = len(self.daraja.ledger.results)
        answer = await self.post(path, body)
        assert answer.status_code == 200, answer.text
        assert shape(answer.json()) == like("acknowledged")
        result = await self.told(before + 1)
        for name in ("OriginatorConversationID", "ConversationID"):
            assert result[name] == answer.json()[name]
        return result


OpenOffice = Callable[[Merchant], Awaitable[Office]]


def date(away: timedelta = timedelta()) -> str:
    return f"{datetime.now(UTC) + timedelta(hours=3) + away:%Y-%m-%d %H:%M:%S}"


def parameters(result: dict[str, Any]) -> dict[str, Any]:
    listed = result["ResultParameters"]["ResultParameter"]
    return {item["Key"]: item.get("Value") for item in listed}


@pytest.fixture
async def daraja() -> AsyncIterator[PretendDaraja]:
    async with pretend_daraja(DarajaOptions(port=0)) as running:
        yield running


@pytest.fixture
async def open_shop(daraja: PretendDaraja) -> AsyncIterator[OpenOffice]:
    async with street(daraja, Office) as opened:
        yield opened


@pytest.fixture
async def shop(open_shop: OpenOffice) -> Office:
    return await open_shop(PAYBILL)


@pytest.fixture
async def paid(shop: Office) -> Paid:
    return await shop.daraja.pay_by_hand(PHONE, PAYBILL.pays_to, 200, "A1")


# Pull Transactions


async def test_a_short_code_signs_up_for_pull_once(shop: Office) -> None:
    assert shop.pull_registration().keys() == SAMPLES["pull_register"].keys()
    said = await shop.pull_registers()
    assert shape(said) == like("pull_registered")
    expected = SAMPLES["pull_registered"]["ResponseDescription"]
    assert (said["ResponseStatus"], said["ResponseDescription"]) == ("1000", expected)
    assert (await shop.pull_registers())["ResponseStatus"] == "1001"


async def test_a_pull_lists_every_payment(shop: Office, open_shop: OpenOffice) -> None:
    assert shop.window().keys() == SAMPLES["pull"].keys()
    await shop.pull_registers()
    await shop.pays()
    await shop.daraja.pay_by_hand(OTHER_PHONE, "174379", 5, "A1")
    await shop.daraja.pay_by_hand(OTHER_PHONE, TILL.pays_to, 7)
    answer = (await shop.post(PULL, shop.window())).json()
    ((first, second),) = answer["Response"]
    assert shape(answer | {"Response": [[first]]}) == like("pull_found")
    assert shape(first) == shape(second)
    pushed = {"msisdn": int(PHONE), "billreference": "ABC123DEF4", "amount": "10.00"}
    assert first.items() >= pushed.items()
    assert first["transactionId"] == shop.daraja.ledger.payments[0].receipt
    by_hand = {"msisdn": int(OTHER_PHONE), "billreference": "A1", "amount": "5.00"}
    assert second.items() >= by_hand.items()
    kiosk = await open_shop(TILL)
    await kiosk.pull_registers()
    (row,) = await kiosk.pulls()
    assert (row["amount"], row["billreference"]) == ("7.00", "")


async def test_a_pull_goes_on_from_a_row(shop: Office) -> None:
    await shop.pull_registers()
    for amount in range(1, 104):
        await shop.daraja.pay_by_hand(PHONE, "174379", amount, "A1")
    page = await shop.pulls()
    assert [row["amount"] for row in page] == [f"{amount}.00" for amount in range(1, 101)]
    assert [row["amount"] for row in await shop.pulls(OffSetValue=100)] == [
        "101.00",
        "102.00",
        "103.00",
    ]


@pytest.mark.parametrize(("none", "response"), [("text", "[[]]"), ("list", [[]])])
async def test_a_pull_may_find_nothing(shop: Office, none: str, response: object) -> None:
    await shop.faults(pull_none=none)
    await shop.pull_registers()
    before = {"StartDate": date(timedelta(hours=-2)), "EndDate": date(timedelta(hours=-1))}
    await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    for changes in (before, {"OffSetValue": "1"}):
        answer = (await shop.post(PULL, shop.window(**changes))).json()
        assert (answer["ResponseCode"], answer["Response"]) == ("1001", response)


@pytest.mark.parametrize(
    ("dates", "form", "hours"),
    [
        ("utc", "%Y-%m-%dT%H:%M:%SZ", 0),
        ("false_utc", "%Y-%m-%dT%H:%M:%SZ", 3),
        ("plain", "%Y-%m-%d %H:%M:%S", 3),
    ],
)
async def test_a_date_comes_in_more_than_one_form(
    shop: Office, paid: Paid, dates: str, form: str, hours: int
) -> None:
    await shop.faults(pull_dates=dates)
    await shop.pull_registers()
    (row,) = await shop.pulls()
    said = datetime.strptime(row["trxDate"], form).replace(tzinfo=UTC)
    assert said == paid.at.replace(microsecond=0) + timedelta(hours=hours)


async def test_a_pull_reaches_back_two_days(shop: Office) -> None:
    await shop.pull_registers()
    await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    assert len(await shop.pulls(StartDate=date(timedelta(hours=-48)))) == 1
    answer = await shop.post(PULL, shop.window(StartDate=date(timedelta(hours=-49))))
    assert refused(answer)[:2] == (400, "400.002.02")
    assert "48 hours" in refused(answer)[2]


@pytest.mark.parametrize(
    ("changes", "called"),
    [
        ({"ShortCode": "600000"}, "ShortCode"),
        ({"StartDate": "2020-08-04"}, "StartDate"),
        ({"StartDate": "2020-13-04 8:36:00"}, "StartDate"),
        ({"EndDate": date(timedelta(hours=-2))}, "EndDate"),
        ({"OffSetValue": "-1"}, "OffSetValue"),
        ({"OffSetValue": None}, "OffSetValue"),
    ],
)
async def test_a_pull_is_checked(shop: Office, changes: dict[str, Any], called: str) -> None:
    await shop.pull_registers()
    answer = await shop.post(PULL, shop.window(**changes))
    assert refused(answer) == (400, "400.002.02", f"Bad Request - Invalid {called}")


async def test_a_pull_needs_a_registration_and_its_own_token(
    shop: Office, open_shop: OpenOffice
) -> None:
    status, code, message = refused(await shop.post(PULL, shop.window()))
    assert (status, code) == (400, "400.002.02")
    assert "not registered" in message
    assert refused(await shop.http.get(PULL))[0] == 405
    other = await open_shop(TILL)
    other.merchant = PAYBILL
    for path, body in ((PULL, other.window()), (PULL_REGISTER, other.pull_registration())):
        said = f"Error Occurred - Invalid Access Token - {other.token}"
        assert refused(await other.post(path, body)) == (401, "401.003.01", said)


@pytest.mark.parametrize(
    "changes", [{"RequestType": "Push"}, {"NominatedNumber": "12"}, {"CallBackURL": "http://a.b/"}]
)
async def test_a_sign_up_for_pull_is_checked(shop: Office, changes: dict[str, str]) -> None:
    answer = await shop.post(PULL_REGISTER, shop.pull_registration(**changes))
    (called,) = changes
    assert refused(answer) == (400, "400.002.02", f"Bad Request - Invalid {called}")


# Transaction Status


async def test_a_status_is_found_by_its_receipt(shop: Office, paid: Paid) -> None:
    assert shop.initiated().keys() == SAMPLES["status"].keys()
    result = await shop.asks(STATUS, shop.initiated(TransactionID=paid.receipt.lower()))
    assert shape({"Result": result}) == like("status_result")
    found = parameters(result)
    assert found["DebitPartyName"].startswith(f"{PHONE} - ")
    assert (found["Amount"], found["ReceiptNo"]) == ("200", paid.receipt)
    assert found["TransactionStatus"] == "Completed"
    assert found["InitiatedTime"] == names.stamp(paid.at)
    assert [path.rpartition("/")[2] for path, _, _ in shop.heard] == ["result"]
    assert shop.daraja.ledger.results[0].status == 200


async def test_a_status_is_found_by_an_earlier_conversation(shop: Office, paid: Paid) -> None:
    result = await shop.asks(STATUS, shop.initiated(TransactionID=paid.receipt))
    earlier = {"OriginalConversationID": result["OriginatorConversationID"]}
    result = await shop.asks(STATUS, shop.initiated(TransactionID=..., **earlier))
    assert parameters(result)["ReceiptNo"] == paid.receipt


async def test_a_receipt_of_nobody_or_of_another_is_unknown(
    shop: Office, open_shop: OpenOffice, paid: Paid
) -> None:
    result = await shop.asks(STATUS, shop.initiated())
    assert shape({"Result": result}) == like("reversal_failed")
    assert result["ResultCode"] == "R000002"
    kiosk = await open_shop(TILL)
    body = kiosk.initiated(PartyA=TILL.pays_to, IdentifierType="2", TransactionID=paid.receipt)
    assert (await kiosk.asks(STATUS, body))["ResultCode"] == "R000002"


async def test_a_result_is_shaped_in_more_than_one_way(shop: Office, paid: Paid) -> None:
    body = shop.initiated(TransactionID=paid.receipt, Occasion="a thing")
    await shop.faults(initiator_items="object")
    result = await shop.asks(STATUS, body)
    expected = {"Key": "ReceiptNo", "Value": paid.receipt}
    assert result["ResultParameters"]["ResultParameter"] == expected
    assert result["ReferenceData"]["ReferenceItem"] == {"Key": "Occasion", "Value": "a thing"}
    await shop.faults(initiator_items="repeated")
    result = await shop.asks(STATUS, body)
    keys = [item["Key"] for item in result["ResultParameters"]["ResultParameter"]]
    assert keys.count("Amount") == keys.count("ReceiptNo") == 2
    assert isinstance(result["ReferenceData"]["ReferenceItem"], list)


@pytest.mark.parametrize("path", [STATUS, REVERSAL])
async def test_an_operator_must_be_the_merchants(shop: Office, paid: Paid, path: str) -> None:
    body = shop.initiated() if path == STATUS else shop.reversal(paid)
    result = await shop.asks(path, body | {"Initiator": "somebody"})
    assert (result["ResultCode"], result["ResultDesc"]) == (
        2001,
        "The initiator information is invalid.",
    )
    assert shop.daraja.ledger.reversals == []


@pytest.mark.parametrize(
    ("changes", "called"),
    [
        ({"Initiator": ...}, "Initiator"),
        ({"SecurityCredential": "plain password"}, "SecurityCredential"),
        ({"SecurityCredential": base64.b64encode(b"short").decode()}, "SecurityCredential"),
        ({"CommandID": "Query"}, "CommandID"),
        ({"TransactionID": "NEF 1"}, "TransactionID"),
        ({"TransactionID": ...}, "TransactionID"),
        ({"PartyA": "600000"}, "PartyA"),
        ({"IdentifierType": "1"}, "IdentifierType"),
        ({"ResultURL": "http://pay.example.com/"}, "ResultURL"),
        ({"QueueTimeOutURL": ...}, "QueueTimeOutURL"),
        ({"Remarks": ""}, "Remarks"),
        ({"Occasion": "x" * 101}, "Occasion"),
    ],
)
async def test_a_status_request_is_checked(
    shop: Office, changes: dict[str, Any], called: str
) -> None:
    answer = await shop.post(STATUS, shop.initiated(**changes))
    assert refused(answer) == (400, "400.002.02", f"Bad Request - Invalid {called}")


async def test_each_request_words_a_wrong_token_its_own_way(shop: Office, paid: Paid) -> None:
    wrong = {"Authorization": "Bearer x"}
    answer = await shop.post(STATUS, shop.initiated(), headers=wrong)
    assert refused(answer) == (400, "400.003.01", "Invalid Access Token")
    answer = await shop.post(REVERSAL, shop.reversal(paid), headers=wrong)
    said = "Error Occurred - Invalid Access Token - x"
    assert refused(answer) == (401, "401.003.01", said)


async def test_a_result_may_come_twice_or_never(shop: Office, paid: Paid) -> None:
    body = shop.initiated(TransactionID=paid.receipt)
    await shop.faults(initiator_sent="twice")
    await shop.asks(STATUS, body)
    await shop.told(2)
    first, second = shop.daraja.ledger.results
    assert first == second
    await shop.faults(initiator_sent="never")
    assert (await shop.post(STATUS, body)).status_code == 200
    await shop.faults(initiator_delay=0.05)
    await shop.asks(STATUS, body)
    assert len(shop.daraja.ledger.results) == 3


# Reversal


async def test_a_reversal_gives_the_money_back(shop: Office, paid: Paid) -> None:
    assert shop.reversal(paid).keys() == SAMPLES["reversal"].keys()
    result = await shop.asks(REVERSAL, shop.reversal(paid))
    assert result["ResultCode"] == 0
    (back,) = shop.daraja.ledger.reversals
    assert (back.original, back.amount, back.phone) == (paid.receipt, 200, PHONE)
    found = parameters(result)
    assert set(found) == {
        "Amount",
        "OriginalTransactionID",
        "TransCompletedTime",
        "Charge",
        "CreditPartyPublicName",
        "DebitPartyPublicName",
        "DebitAccountBalance",
    }
    assert (found["OriginalTransactionID"], found["Amount"]) == (paid.receipt, "200")
    message = shop.daraja.ledger.messages[-1].text
    assert message.startswith(f"{back.receipt} Confirmed. Transaction {paid.receipt} has been")
    assert re.search(r"New M-PESA balance is Ksh500,000\.00\.$", message)


@pytest.mark.parametrize("merchant", MERCHANTS, ids=["paybill", "till"])
async def test_our_own_order_is_taken_and_its_answer_read(
    open_shop: OpenOffice, merchant: Merchant
) -> None:
    shop = await open_shop(merchant)
    await shop.pays()
    (paid,) = shop.daraja.ledger.payments
    info = PaybillInfo(
        number=merchant.pays_to, name="Shop", type=merchant.type, store_number=merchant.short_code
    )
    keys = Credentials(
        consumer_key="k",
        consumer_secret="s",
        pass_key="p",
        initiator_name=merchant.initiator,
        security_credential=CREDENTIAL,
    )
    paybill = Paybill(id="p", paybill_info=info, credentials=keys)
    body = reversal.order(paybill, paid.receipt, paid.amount, shop.callback_url, shop.callback_url)
    assert body.keys() == SAMPLES["reversal"].keys()
    told, payload = reversal.result(json.dumps({"Result": await shop.asks(REVERSAL, body)}))
    assert (told.code, told.original) == ("0", paid.receipt)
    assert "ResultParameters" in str(payload)
    told, _ = reversal.result(json.dumps({"Result": await shop.asks(REVERSAL, body)}))
    assert told.code == "R000001"


async def test_a_pushed_payment_can_be_reversed_too(open_shop: OpenOffice) -> None:
    kiosk = await open_shop(TILL)
    await kiosk.pays()
    (paid,) = kiosk.daraja.ledger.payments
    assert (await kiosk.asks(REVERSAL, kiosk.reversal(paid)))["ResultCode"] == 0
    assert kiosk.daraja.ledger.reversals[0].original == paid.receipt


async def test_money_goes_back_once(shop: Office, paid: Paid) -> None:
    await shop.asks(REVERSAL, shop.reversal(paid))
    result = await shop.asks(REVERSAL, shop.reversal(paid))
    assert shape({"Result": result}) == like("reversal_failed")
    assert result["ResultCode"] == "R000001"
    assert len(shop.daraja.ledger.reversals) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"TransactionID": "PDU91HIVIT"}, "R000002"), ({"Amount": "100"}, 21)],
)
async def test_a_reversal_names_a_payment_and_its_amount(
    shop: Office, paid: Paid, changes: dict[str, str], code: object
) -> None:
    result = await shop.asks(REVERSAL, shop.reversal(paid, **changes))
    assert result["ResultCode"] == code
    assert shop.daraja.ledger.reversals == []


@pytest.mark.parametrize("code", ["1", "11", "21", "8006"])
async def test_a_reversal_may_end_with_any_code(shop: Office, paid: Paid, code: str) -> None:
    await shop.faults(initiator_result=code)
    assert (await shop.asks(REVERSAL, shop.reversal(paid)))["ResultCode"] == int(code)
    assert shop.daraja.ledger.reversals == []


async def test_a_reversal_may_run_out_of_time_in_the_queue(shop: Office, paid: Paid) -> None:
    await shop.faults(initiator_sent="timeout")
    result = await shop.asks(REVERSAL, shop.reversal(paid))
    assert result["ResultCode"] == 26
    assert [path.rpartition("/")[2] for path, _, _ in shop.heard] == ["queue"]
    assert shop.daraja.ledger.reversals == []


@pytest.mark.parametrize(
    ("changes", "called"),
    [
        ({"TransactionID": ...}, "TransactionID"),
        ({"Amount": "0"}, "Amount"),
        ({"Amount": "1.50"}, "Amount"),
        ({"ReceiverParty": "600000"}, "ReceiverParty"),
        ({"RecieverIdentifierType": "4"}, "RecieverIdentifierType"),
        ({"CommandID": "TransactionStatusQuery"}, "CommandID"),
    ],
)
async def test_a_reversal_is_checked(
    shop: Office, paid: Paid, changes: dict[str, Any], called: str
) -> None:
    answer = await shop.post(REVERSAL, shop.reversal(paid, **changes))
    assert refused(answer) == (400, "400.002.02", f"Bad Request - Invalid {called}")
