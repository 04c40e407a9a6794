"""Vouchers to be sold on paper: made by the hundred, printed, and followed."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from appliance.domain.batches import MOST, Batch
from appliance.domain.errors import Invalid
from appliance.domain.queries import Cursor
from appliance.domain.vouchers import Voucher
from appliance.flows.batches import Batches
from appliance.flows.offer import Offer
from appliance.sheets import Paper
from appliance.web.console.asking import LONG, Away, asked
from appliance.web.console.shell import came_to_nothing, done, form_of, page, record
from appliance.web.pages import Pages
from appliance.web.tickets import Press, rows

_PAGE = 50
_LONGEST_COUNT = 4
_TABLE = "csv"
_USUAL = {"plan": "", "count": "24", "note": ""}
"""What stands in the form of a new one; 24 are an A4 sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPages:
    """The latest batches, one of them, and the form of a new one."""

    batches: Batches
    offer: Offer
    press: Press
    path: str = "/vouchers/batches"
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Drawing takes the processor: one after the other."""

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get(self.path, self._list),
            web.get(f"{self.path}/new", self._new),
            web.post(f"{self.path}/new", self._make),
            web.get(f"{self.path}/{{id}}", self._one),
            web.post(f"{self.path}/{{id}}/print", self._print),
            web.post(f"{self.path}/{{id}}/withdraw", self._withdraw),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        before = request.query.get("before")
        heads = await self.batches.latest(_PAGE, Cursor.read(before) if before else None)
        last = Cursor(heads[-1].created_at, heads[-1].id) if len(heads) == _PAGE else None
        return page(
            request,
            "batches.html",
            heads=heads,
            older=f"{self.path}?before={last}" if last else "",
            first=self.path if before else "",
        )

    async def _new(self, request: web.Request) -> web.Response:
        return await self._form(request, _USUAL | {"key": _new_key()})

    async def _form(
        self, request: web.Request, values: Mapping[str, str], wrong: Invalid | None = None
    ) -> web.Response:
        if wrong is not None:
            await came_to_nothing(request, wrong.code)
        plans = [plan for plan in await self.offer.all() if plan.active]
        return page(
            request,
            "batch_form.html",
            status=200 if wrong is None else 400,
            plans=[(plan.id, f"{plan.name}, {plan.price:,} KSh") for plan in plans],
            values={name: values.get(name, "") for name in (*_USUAL, "key")},
            most=MOST,
            field=None if wrong is None else wrong.field,
            problem=None if wrong is None else wrong.reason,
        )

    async def _make(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        plan, key = form.get("plan", ""), form.get("key", "")
        if not key:
            raise web.HTTPBadRequest
        try:
            count = _count(form.get("count", ""))
            await record(request, "made vouchers", plan, count=count)
            made = await self.batches.make(plan, count, key=key, note=form.get("note"))
        except Invalid as error:
            if error.field == "key":  # sent before, then changed: what it asks for now is new
                form = form | {"key": _new_key()}
            return await self._form(request, form, error)
        raise done(f"{self.path}/{_batch(made).id}", "made")

    async def _one(self, request: web.Request) -> web.Response:
        made = await self._asked(request)
        start = _start(request)
        here, after = f"{self.path}/{_batch(made).id}", start + _PAGE
        return page(
            request,
            "batch.html",
            batch=_batch(made),
            head=made[0],
            made=len(made),
            left=sum(voucher.in_stock for voucher in made),
            states=Counter("in stock" if v.in_stock else str(v.state) for v in made),
            vouchers=made[start:after],
            papers=[(str(paper), words) for paper, words in _PAPERS.items()],
            table=_TABLE,
            languages=[(name, _LANGUAGES.get(name, name)) for name in Pages.languages],
            language=self.press.language,
            older=f"{here}?from={after}" if after < len(made) else "",
            first=here if start else "",
        )

    async def _print(self, request: web.Request) -> web.Response:
        made, form = await self._asked(request), await form_of(request)
        batch, what = _batch(made), form.get("paper", "")
        language = form.get("language", self.press.language)
        if what not in {_TABLE, *Paper} or language not in Pages.languages:
            raise web.HTTPBadRequest
        await record(request, "printed vouchers", batch.id, on=what, count=len(made))
        if what == _TABLE:
            return _file(f"vouchers-{batch.id}.csv", "text/csv", rows(made).encode())
        async with self.turn:
            drawn = await asyncio.to_thread(self.press.printed, made, Paper(what), language)
        return _file(f"vouchers-{batch.id}-{what}.pdf", "application/pdf", drawn)

    async def _withdraw(self, request: web.Request) -> web.Response:
        batch = _batch(await self._asked(request))
        await record(request, "withdrew vouchers", batch.id)
        try:
            await asked(self.batches.withdraw(batch.id), LONG)
        except Away:
            await came_to_nothing(request, "router_away")
            raise done(f"{self.path}/{batch.id}", "away") from None
        raise done(f"{self.path}/{batch.id}", "withdrawn")

    async def _asked(self, request: web.Request) -> list[Voucher]:
        made = await self.batches.find(request.match_info["id"])
        if not made:
            raise web.HTTPNotFound
        return made


_PAPERS = {
    Paper.A4: "A4, 24 to a sheet",
    Paper.NARROW: "58 mm strip",
    Paper.WIDE: "80 mm strip",
}
_LANGUAGES = {"en": "English", "sw": "Kiswahili"}


def _new_key() -> str:
    return secrets.token_hex(16)


def _batch(made: Sequence[Voucher]) -> Batch:
    batch = made[0].batch
    if batch is None:
        raise web.HTTPNotFound
    return batch


def _count(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_COUNT):
        raise Invalid(f"write how many, 1 to {MOST}", "count")
    return int(text)


def _start(request: web.Request) -> int:
    text = request.query.get("from", "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_COUNT):
        raise Invalid("this list has no such place", "from")
    return int(text)


def _file(name: str, kind: str, content: bytes) -> web.Response:
    """Return a file to be saved; nobody keeps a copy on the way: who has a code has its time."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=content, content_type=kind, headers=headers)
