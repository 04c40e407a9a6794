"""C2B: asks a merchant whether money may come in, and tells it that money came in."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.callbacks import LATE, Courier
from appliance.sandbox.daraja.faults import Faults, Menu
from appliance.sandbox.daraja.ledger import Confirmation, Paid, Validation
from appliance.sandbox.daraja.money import Money
from appliance.sandbox.daraja.notices import notice
from appliance.sandbox.daraja.phone import refused_sms
from appliance.sandbox.daraja.urls import Urls

_UNHEARD = "no answer"
_OTHER_ERROR = "C2B00016"
_REFUSALS = frozenset(f"C2B000{number}" for number in range(11, 17))


@dataclass(frozen=True, slots=True)
class C2b:
    """Speaks to the URLs that merchants registered, and to nobody else."""

    urls: Urls
    menu: Menu
    courier: Courier
    money: Money
    _their_ids: dict[str, str] = field(default_factory=dict, repr=False)
    """By receipt: the ThirdPartyTransID that a validation was answered with."""

    def asks(self, merchant: Merchant) -> bool:
        """Tell whether the merchant is asked before it is paid."""
        return self.urls.of(merchant) is not None and self.menu.of(None).validation == "on"

    async def allows(self, merchant: Merchant, paid: Paid) -> bool:
        """Ask the merchant; when it refuses, its customer gets a message and no money moves."""
        urls, faults = self.urls.of(merchant), self.menu.of(paid.phone)
        if urls is None:
            return True
        body = notice(merchant, paid, urls, faults, self.urls.version(merchant))
        limit = faults.validation_seconds
        status, answer = await self.courier.send(urls.validation, body, seconds=limit)
        self.money.ledger.write(
            Validation(url=urls.validation, body=body, status=status, answer=answer)
        )
        code = self._understood(paid, status, answer)
        if code == "0" or (code == _UNHEARD and urls.response_type == "Completed"):
            return True
        self.money.tell(paid.phone, refused_sms(merchant, paid, code))
        return False

    async def confirm(self, merchant: Merchant, paid: Paid, faults: Faults) -> None:
        """Tell the merchant once, whatever it answers."""
        urls = self.urls.of(merchant)
        if urls is None or faults.c2b == "never":
            return
        body = notice(merchant, paid, urls, faults, self.urls.version(merchant))
        body["OrgAccountBalance"] = f"{self.money.account(merchant, paid.at)}.00"
        body["ThirdPartyTransID"] = self._their_ids.get(paid.receipt, "")
        late = faults.c2b == "late" and not faults.c2b_delay
        await asyncio.sleep(LATE if late else faults.c2b_delay)
        for _ in range(2 if faults.c2b == "twice" else 1):
            status, answer = await self.courier.send(urls.confirmation, body)
            self.money.ledger.write(
                Confirmation(url=urls.confirmation, body=body, status=status, answer=answer)
            )

    def _understood(self, paid: Paid, status: int | None, answer: str) -> str:
        said = _object(answer) if status == 200 else {}  # noqa: PLR2004
        if "ResultCode" not in said:
            return _UNHEARD
        code = str(said["ResultCode"])
        if code == "0":
            self._their_ids[paid.receipt] = str(said.get("ThirdPartyTransID") or "")
            return code
        return code if code in _REFUSALS else _OTHER_ERROR


def _object(answer: str) -> dict[str, Any]:
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
