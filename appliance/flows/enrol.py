"""An operator takes a paybill on, changes it, or has it sell no longer."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from appliance.domain import ids
from appliance.domain.errors import Duplicate, Invalid
from appliance.domain.paybills import (
    Credentials,
    Environment,
    Paybill,
    PaybillConfig,
    PaybillInfo,
    PaybillType,
    Registration,
    flaws,
)
from appliance.domain.secrets import SEALED
from appliance.flows.evolve import Missing, Moved, evolve, load
from appliance.ports import Cipher, Clock, Paybills, Users

log = logging.getLogger(__name__)

_SECRET = re.compile(r"[!-~]{1,2000}", re.ASCII)
_INITIATOR = re.compile(r"[!-~]{1,100}", re.ASCII)
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What an operator wrote. A secret that is left empty stays as it is."""

    number: str
    name: str
    type: PaybillType
    environment: Environment
    store_number: str | None = None
    c2b_short_code: str | None = None
    user_id: str | None = None
    pull: bool = False
    initiator_name: str | None = None
    consumer_key: str = field(default="", repr=False)
    consumer_secret: str = field(default="", repr=False)
    pass_key: str = field(default="", repr=False)
    security_credential: str = field(default="", repr=False)


_SECRETS = {
    "consumer_key": "consumerKey",
    "consumer_secret": "consumerSecret",
    "pass_key": "passKey",
    "security_credential": "securityCredential",
}
"""Each secret of an entry, and its name where it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrol:
    """Secrets are sealed before they are stored, and are never given back.

    `edition` is the paybill's as somebody saw it before deciding: where it has moved on since,
    that is `Conflict`. A new token does not count.
    """

    paybills: Paybills
    users: Users
    cipher: Cipher
    clock: Clock

    async def add(self, entry: Entry) -> Paybill:
        """Store a new paybill, which sells nothing before it is switched on; raise `Invalid`."""
        for name in ("consumer_key", "consumer_secret", "pass_key"):
            if not getattr(entry, name):
                raise Invalid("this is needed", _SECRETS[name])
        nothing = Credentials(consumer_key="", consumer_secret="", pass_key="")
        info = PaybillInfo(number=entry.number, name="")
        blank = Paybill(id=ids.new_id(), paybill_info=info, credentials=nothing, status="inactive")
        await self._check(entry, blank)
        try:
            paybill = await self.paybills.insert(self._written(blank, entry))
        except Duplicate:
            raise Invalid("there is a paybill with this number already", "number") from None
        log.info("paybill added number=%s", entry.number)
        return paybill

    async def change(self, paybill_id: str, edition: str, entry: Entry) -> Paybill:
        """Store what differs; the number stays, for payments under way go by it."""
        paybill = await load(self.paybills, paybill_id)
        kept = replace(entry, number=paybill.paybill_info.number)
        await self._check(kept, paybill)
        return await self._evolved(paybill, edition, lambda p: self._written(p, kept))

    async def switch(self, paybill_id: str, edition: str, *, active: bool) -> Paybill:
        """Have it sell, or not; what is under way is still asked about and heard of."""
        paybill = await load(self.paybills, paybill_id)
        return await self._evolved(
            paybill, edition, lambda p: replace(p, status="active" if active else "inactive")
        )

    async def registered(self, number: str, url: str) -> None:
        """Write down that Safaricom has this address of ours for payments at the M-Pesa menu."""
        paybill = await self.paybills.find("paybillInfo.number", number)
        if paybill is None:
            raise Missing(number)
        now = self.clock.now()

        def step(latest: Paybill) -> Paybill:
            told = replace(latest.config, c2b_registered=Registration(at=now, url=url))
            return replace(latest, config=told)

        await evolve(self.paybills, paybill, step)

    async def _evolved(
        self, paybill: Paybill, edition: str, step: Callable[[Paybill], Paybill]
    ) -> Paybill:
        def checked(latest: Paybill) -> Paybill:
            if latest.edition != edition:
                raise Moved(latest.paybill_info.number)
            return step(latest)

        return await evolve(self.paybills, paybill, checked)

    async def _check(self, entry: Entry, paybill: Paybill) -> None:
        """Raise `Invalid` with the first thing that is wrong, and its place in the form."""
        _check_words(entry)
        if entry.user_id is not None and await self.users.get(entry.user_id) is None:
            raise Invalid("there is no such owner", "userId")
        written = self._written(paybill, entry)
        for flaw in flaws(written, entry.pass_key):
            if flaw.grave:
                raise Invalid(flaw.what, flaw.field)
        if bool(entry.initiator_name) and not written.credentials.security_credential:
            raise Invalid("an initiator needs its security credential", "securityCredential")

    def _written(self, paybill: Paybill, entry: Entry) -> Paybill:
        """Return the paybill as the entry has it; new keys or another Daraja end its token."""
        old = paybill.credentials
        keys = replace(
            old,
            consumer_key=self._sealed(entry.consumer_key) or old.consumer_key,
            consumer_secret=self._sealed(entry.consumer_secret) or old.consumer_secret,
            pass_key=self._sealed(entry.pass_key) or old.pass_key,
            initiator_name=entry.initiator_name,
            security_credential=self._sealed(entry.security_credential) or old.security_credential,
        )
        moved = entry.environment != paybill.config.environment
        if moved or entry.consumer_key or entry.consumer_secret:
            keys = keys.without_token()
        return replace(
            paybill,
            paybill_info=replace(
                paybill.paybill_info,
                name=entry.name or entry.number,
                type=entry.type,
                store_number=entry.store_number,
            ),
            credentials=keys,
            config=_config(paybill.config, entry),
            user_id=entry.user_id,
        )

    def _sealed(self, secret: str) -> str:
        return self.cipher.seal(secret) if secret else ""


def _check_words(entry: Entry) -> None:
    if len(entry.name) > _LONGEST_NAME or not entry.name.isprintable():
        raise Invalid(f"a name has at most {_LONGEST_NAME} letters", "name")
    if entry.initiator_name and not _INITIATOR.fullmatch(entry.initiator_name):
        raise Invalid("this is no name of an initiator", "initiatorName")
    for name, shown in _SECRETS.items():
        secret = getattr(entry, name)
        if secret and (not _SECRET.fullmatch(secret) or secret.startswith(SEALED)):
            raise Invalid("it holds what no key of Safaricom's does: copy it again", shown)


def _config(config: PaybillConfig, entry: Entry) -> PaybillConfig:
    """Return it as the entry has it; what was registered of another number says nothing of this."""
    same = (config.environment, config.c2b_short_code) == (entry.environment, entry.c2b_short_code)
    return replace(
        config,
        environment=entry.environment,
        c2b_short_code=entry.c2b_short_code,
        pull=entry.pull,
        c2b_registered=config.c2b_registered if same else None,
    )
