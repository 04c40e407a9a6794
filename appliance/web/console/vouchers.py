"""Vouchers: what each is good for, what is left of it, and an operator's word about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote, urlencode

from aiohttp import web

from appliance import ports
from appliance.domain import ids
from appliance.domain.debts import Kind, Owed
from appliance.domain.devices import Session
from appliance.domain.errors import DeviceAbsent, Invalid, RouterRefused, RouterUnreachable
from appliance.domain.plans import LONGEST, MOST_BYTES
from appliance.domain.queries import Cursor
from appliance.domain.vouchers import USABLE, State, Voucher
from appliance.flows.amend import Amend
from appliance.flows.offer import Offer
from appliance.flows.online import Online
from appliance.web.console.asking import Away, asked
from appliance.web.console.batches import BatchPages
from appliance.web.console.shell import came_to_nothing, done, form_of, found, page, record

_PAGE = 50
_MOST_PAGES = 20
_MEGABYTE = 10**6
_LONGEST_NUMBER = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherPages:
    """The list, the way to one by its code, and one with what can be done about it."""

    vouchers: ports.Vouchers
    offer: Offer
    amend: Amend
    online: Online
    router: ports.Router
    clock: ports.Clock
    router_id: str
    batches: BatchPages
    title: str = "Vouchers"
    path: str = "/vouchers"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages; those of one come last, for an id could be any word."""
        one = f"{self.path}/{{id}}"
        return [
            web.get(self.path, self._list),
            web.post(f"{self.path}/find", self._find),
            *self.batches.routes(),
            web.get(one, self._one),
            web.post(f"{one}/extend", self._extend),
            web.post(f"{one}/revoke", self._revoke),
            web.post(f"{one}/log-out", self._log_out),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        return await self._listed(request)

    async def _listed(self, request: web.Request, missed: str = "") -> web.Response:
        query = request.query if request.method == "GET" else {}
        state, plan, before = (query.get(name, "") for name in ("state", "plan", "before"))
        if state not in {"", *State}:
            raise web.HTTPNotFound
        found, after = await self._page(state, plan, Cursor.read(before) if before else None)
        chosen = {name: value for name, value in (("state", state), ("plan", plan)) if value}
        here = f"{self.path}?{urlencode(chosen)}" if chosen else self.path
        plans = await self.offer.all()
        return page(
            request,
            "vouchers.html",
            status=404 if missed else 200,
            vouchers=found,
            left={v.id: v.seconds_left(self.clock.certain()) for v in found},
            states=[("", "any"), *((str(one), str(one)) for one in State)],
            plans=[("", "any"), *((one.id, one.name) for one in plans)],
            state=state,
            plan=plan,
            missed=missed,
            older=f"{self.path}?{urlencode(chosen | {'before': str(after)})}" if after else "",
            first=here if before else "",
        )

    async def _page(
        self, state: str, plan: str, before: Cursor | None
    ) -> tuple[list[Voucher], Cursor | None]:
        """Return a page of the list, and where the next begins; None after the last."""
        index, value = ("plan.id", plan) if plan else ("status", state) if state else (None, None)
        found = list[Voucher]()
        for _ in range(_MOST_PAGES):
            got = await self.vouchers.page(index, value, _PAGE, before=before)
            found += [voucher for voucher in got if state in {"", voucher.state}]
            if len(got) < _PAGE:
                return found, None
            before = Cursor(got[-1].created_at, got[-1].id)
            if len(found) >= _PAGE:
                break
        return found, before

    async def _find(self, request: web.Request) -> web.Response:
        text = (await form_of(request)).get("code", "")[:64]
        for code in ids.readings(text) if text.strip() else ():
            voucher = await self.vouchers.find("code", code)
            if voucher is not None:
                raise done(self._at(voucher))
        return await self._listed(request, text.strip() or "nothing")

    async def _one(self, request: web.Request) -> web.Response:
        return await self._about(request, await found(request, self.vouchers))

    async def _about(
        self,
        request: web.Request,
        voucher: Voucher,
        values: Mapping[str, str] | None = None,
        wrong: Invalid | None = None,
    ) -> web.Response:
        sessions, away = await self._online(voucher)
        certain, sold = self.clock.certain(), voucher.bytes_sold
        return page(
            request,
            "voucher.html",
            status=200 if wrong is None else 400,
            voucher=voucher,
            path=self._at(voucher),
            usable=voucher.usable(certain),
            revocable=voucher.state in USABLE,
            seconds_left=voucher.seconds_left(certain),
            bytes_left=None if sold is None else max(0, sold - voucher.used_bytes),
            elsewhere=voucher.router_id != self.router_id,
            sessions=sessions,
            away=away,
            owes=_owes(voucher),
            why=_why(voucher.owed),
            values={name: (values or {}).get(name, "") for name in ("hours", "megabytes")},
            field=None if wrong is None else wrong.field,
            problem=None if wrong is None else wrong.reason,
        )

    async def _online(self, voucher: Voucher) -> tuple[list[Session], str]:
        """Return who is in with it now, or why nobody can say."""
        if voucher.state is not State.ACTIVE or voucher.router_id != self.router_id:
            return [], ""
        try:
            return await asked(self.router.sessions(user=voucher.code)), ""
        except Away as error:
            return [], str(error)

    async def _extend(self, request: web.Request) -> web.Response:
        voucher, form = await found(request, self.vouchers), await form_of(request)
        try:
            time, megabytes = _addition(form)
        except Invalid as error:
            return await self._about(request, voucher, form, error)
        added, seconds = _added(form), int(time.total_seconds())
        await record(
            request, "extended a voucher", voucher.code, seconds=seconds, megabytes=megabytes
        )
        await self.amend.extend(voucher.code, time, megabytes * _MEGABYTE, after=added)
        raise done(self._at(voucher), "extended")

    async def _revoke(self, request: web.Request) -> web.Response:
        voucher = await found(request, self.vouchers)
        await record(request, "revoked a voucher", voucher.code)
        await self.amend.revoke(voucher.code)
        raise done(self._at(voucher), "revoked")

    async def _log_out(self, request: web.Request) -> web.Response:
        voucher, form = await found(request, self.vouchers), await form_of(request)
        await record(request, "logged a device out", voucher.code)
        try:
            await asked(self.router.sessions(user=voucher.code))
            await self.online.log_out(voucher.id, form.get("mac", ""))
        except (Away, RouterUnreachable):
            await came_to_nothing(request, "router_away")
            raise done(self._at(voucher), "away") from None
        raise done(self._at(voucher), "logged-out")

    def _at(self, voucher: Voucher) -> str:
        return f"{self.path}/{quote(voucher.id, safe='')}"


_ERRORS = {
    DeviceAbsent.code: "its device is not on the hotspot",
    RouterUnreachable.code: "the router did not answer",
    RouterRefused.code: "the router refused",
}


def _owes(voucher: Voucher) -> str:
    """Return what is still to be done for a voucher; its end, while that is ahead, is not."""
    owed = voucher.owed
    match owed and owed.kind:
        case Kind.GRANT:
            return "its device must be let in"
        case Kind.END if voucher.ended:
            return "whoever is in with it must be cut off"
        case _:
            return ""


def _why(owed: Owed | None) -> str:
    """Return why it was not done at the last try, in words where we have any."""
    if owed is None or not owed.last_error:
        return ""
    code, _, words = owed.last_error.partition(":")
    return f"{_ERRORS[code]}{':' if words else ''}{words}" if code in _ERRORS else owed.last_error


def _addition(form: Mapping[str, str]) -> tuple[timedelta, int]:
    """Return the time and the megabytes that somebody wrote; raise `Invalid` for none."""
    hours = _amount(form, "hours", LONGEST / timedelta(hours=1))
    megabytes = _amount(form, "megabytes", MOST_BYTES / _MEGABYTE)
    if megabytes != int(megabytes):
        raise Invalid("write a whole number", "megabytes")
    time = timedelta(seconds=round(hours * 3600))
    if not (time or megabytes):
        raise Invalid("say how much to add", "hours")
    return time, int(megabytes)


def _added(form: Mapping[str, str]) -> tuple[int, int]:
    """Return what had been added already, when the form was shown."""
    seconds, _, data = form.get("added", "").partition("-")
    for text in (seconds, data):
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_BYTES)) + 1):
            raise web.HTTPBadRequest
    return int(seconds), int(data)


def _amount(form: Mapping[str, str], name: str, most: float) -> float:
    text = form.get(name, "").strip().replace(",", ".")
    if not text:
        return 0
    plain = text.replace(".", "", 1)
    if not (plain.isascii() and plain.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise Invalid("write a number", name)
    if float(text) > most:
        raise Invalid(f"that is too much: {most:,.0f} at most", name)
    return float(text)
