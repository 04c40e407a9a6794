"""Paybills and tills: whose account the money goes to, and whether Safaricom lets us in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

from aiohttp import web

from appliance.domain.errors import (
    ApplianceError,
    Invalid,
)
from appliance.domain.paybills import Paybill, Registration, User
from appliance.domain.payments import Payment, State
from appliance.flows.cashier import Cashier, Selling
from appliance.flows.enrol import Enrol
from appliance.ports import Clock, Paybills, Users
from appliance.web.console.paybill_form import SECRETS, USUAL, entry_of, written
from appliance.web.console.paybill_words import not_asked, words_of
from appliance.web.console.shell import came_to_nothing, done, form_of, found, page, record

_MOST = 1000


class Trouble(Protocol):
    """Why there was no new token."""

    @property
    def at(self) -> datetime:
        """Return when."""
        ...

    @property
    def why(self) -> str:
        """Return the error's words."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a page may say of a paybill: no secret, sealed or not, is in it."""

    id: str
    path: str
    edition: str
    number: str
    name: str
    type: str
    environment: str
    status: str
    store_number: str
    c2b_short_code: str
    owner: str
    pull: bool
    initiator: str
    asks: bool
    """Whether it may ask what became of a receipt."""
    token_until: datetime | None
    token_good: bool
    token_last: datetime | None
    trouble: Trouble | None
    registered: Registration | None
    selling: tuple[Selling, ...]
    """The routers that sell through it."""
    chosen_by: tuple[str, ...]
    """The owners who want their money there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaybillPages:
    """The list, one paybill, its form, and what can be tried with it."""

    paybills: Paybills
    users: Users
    cashier: Cashier
    enrol: Enrol
    clock: Clock
    try_keys: Callable[[str], Awaitable[object]]
    """Fetch a new token of this number."""
    trouble: Callable[[str], Trouble | None]
    trial: Callable[[str, str], Awaitable[Payment]]
    """Sells for a shilling through this number, to this phone."""
    register: Callable[[str], Awaitable[None]]
    """Tell Safaricom where to tell of payments into this number."""
    url: str
    """Where Safaricom finds this box."""
    title: str = "Paybills"
    path: str = "/paybills"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        new, one = f"{self.path}/new", f"{self.path}/{{id}}"
        return [
            web.get(self.path, self._list),
            web.get(new, self._new),
            web.post(new, self._add),
            web.get(one, self._one),
            web.get(f"{one}/edit", self._edit),
            web.post(f"{one}/edit", self._change),
            web.post(f"{one}/token", self._try),
            web.post(f"{one}/trial", self._sell_for_a_shilling),
            web.post(f"{one}/register", self._register),
            web.post(f"{one}/switch", self._switch),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        selling = await self.cashier.everywhere()
        found = sorted(
            await self.paybills.page(None, None, _MOST),
            key=lambda p: (p.status != "active", p.paybill_info.number),
        )
        return page(
            request,
            "paybills.html",
            paybills=[self._shown(paybill, selling, ()) for paybill in found],
            ours=selling[0],
            closed=[placed for placed in selling if placed.number is None],
        )

    async def _one(self, request: web.Request) -> web.Response:
        return await self._about(request, await found(request, self.paybills))

    async def _about(
        self, request: web.Request, paybill: Paybill, problem: str = ""
    ) -> web.Response:
        selling = await self.cashier.everywhere()
        return page(
            request,
            "paybill.html",
            paybill=self._shown(paybill, selling, await self._owners()),
            ours=selling[0],
            url=self.url,
            problem=problem,
        )

    async def _new(self, request: web.Request) -> web.Response:
        return await self._form(request, None, {})

    async def _edit(self, request: web.Request) -> web.Response:
        paybill = await found(request, self.paybills)
        return await self._form(request, paybill, written(paybill))

    async def _form(
        self,
        request: web.Request,
        paybill: Paybill | None,
        values: Mapping[str, str],
        wrong: Invalid | None = None,
    ) -> web.Response:
        if wrong is not None:
            await came_to_nothing(request, wrong.code)
        users = [user.id for user in await self._owners()]
        return page(
            request,
            "paybill_form.html",
            status=200 if wrong is None else 400,
            paybill=None if paybill is None else self._shown(paybill, (), ()),
            values={
                name: values.get(name, "" if values else usual)
                for name, usual in (USUAL | {"environment": self.cashier.environment}).items()
            },
            owners=[("", "The company"), *((user, user) for user in users)],
            field=None if wrong is None else wrong.field,
            problem=None if wrong is None else wrong.reason,
        )

    async def _add(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        entry = entry_of(form)
        await record(request, "added a paybill", entry.number[:20])
        try:
            paybill = await self.enrol.add(entry)
        except Invalid as error:
            return await self._form(request, None, form, error)
        raise done(self._at(paybill), "saved")

    async def _change(self, request: web.Request) -> web.Response:
        paybill, form = await found(request, self.paybills), await form_of(request)
        entry = entry_of(form)
        replaced = [name for name in SECRETS if form.get(name, "").strip()]
        await record(
            request, "changed a paybill", paybill.paybill_info.number, keys_replaced=replaced
        )
        try:
            await self.enrol.change(paybill.id, form.get("edition", ""), entry)
        except Invalid as error:
            return await self._form(request, paybill, form, error)
        raise done(self._at(paybill), "saved")

    async def _switch(self, request: web.Request) -> web.Response:
        paybill, form = await found(request, self.paybills), await form_of(request)
        on = form.get("to") == "active"
        did = "switched a paybill on" if on else "switched a paybill off"
        await record(request, did, paybill.paybill_info.number)
        await self.enrol.switch(paybill.id, form.get("edition", ""), active=on)
        raise done(self._at(paybill), "switched-on" if on else "switched-off")

    async def _try(self, request: web.Request) -> web.Response:
        paybill = await found(request, self.paybills)
        return await self._with_safaricom(
            request, paybill, "asked for a new token", self.try_keys, "token"
        )

    async def _sell_for_a_shilling(self, request: web.Request) -> web.Response:
        paybill, form = await found(request, self.paybills), await form_of(request)
        number = paybill.paybill_info.number
        await record(request, "asked a phone for a shilling", number)
        try:
            payment = await self.trial(number, form.get("phone", "").strip())
        except ApplianceError as error:
            await came_to_nothing(request, error.code)
            return await self._about(request, paybill, not_asked(error))
        if payment.state is State.FAILED:  # its story says why
            await came_to_nothing(request, payment.reason or "not_sent")
        said = {State.PENDING: "trial", State.UNKNOWN: "trial-unknown"}.get(payment.state, "")
        raise done(f"/payments/{quote(payment.id, safe='')}", said)

    async def _register(self, request: web.Request) -> web.Response:
        paybill = await found(request, self.paybills)
        return await self._with_safaricom(
            request, paybill, "registered for C2B", self.register, "registered"
        )

    async def _with_safaricom(
        self,
        request: web.Request,
        paybill: Paybill,
        did: str,
        deed: Callable[[str], Awaitable[object]],
        said: str,
    ) -> web.Response:
        number = paybill.paybill_info.number
        await record(request, did, number)
        try:
            await deed(number)
        except ApplianceError as error:
            await came_to_nothing(request, error.code)
            return await self._about(request, paybill, words_of(error))
        raise done(self._at(paybill), said)

    def _at(self, paybill: Paybill) -> str:
        return f"{self.path}/{quote(paybill.id, safe='')}"

    async def _owners(self) -> list[User]:
        return sorted(await self.users.page(None, None, _MOST), key=lambda user: user.id)

    def _shown(self, paybill: Paybill, selling: Sequence[Selling], owners: Sequence[User]) -> Shown:
        info, keys, config = paybill.paybill_info, paybill.credentials, paybill.config
        until = keys.token_expires_at if keys.access_token else None
        return Shown(
            id=paybill.id,
            path=self._at(paybill),
            edition=paybill.edition,
            number=info.number,
            name=info.name,
            type=info.type,
            environment=config.environment,
            status=paybill.status,
            store_number=info.store_number or "",
            c2b_short_code=config.c2b_short_code or "",
            owner=paybill.user_id or "",
            pull=config.pull,
            initiator=keys.initiator_name or "",
            asks=paybill.has_initiator,
            token_until=until,
            token_good=until is not None and until > self.clock.now(),
            token_last=keys.last_token_refresh,
            trouble=self.trouble(info.number),
            registered=config.c2b_registered,
            selling=tuple(placed for placed in selling if placed.number == info.number),
            chosen_by=tuple(
                owner.id for owner in owners if owner.payment_settings.paybill_number == info.number
            ),
        )
