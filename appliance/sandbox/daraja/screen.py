"""The phone as a web page: prompts to answer and messages to read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, StrictUndefined

from appliance.sandbox.daraja import names
from appliance.sandbox.daraja.byhand import (
    Declined,
    LipaNaMpesa,
    NotPaid,
    check_pin,
    typed_amount,
    typed_phone,
)
from appliance.sandbox.daraja.express import Express, NoSuchPrompt, NotAPin, WrongAction

# Read while importing: nothing may block once the loop runs.
_PAGE = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
).from_string(Path(__file__).with_name("phone.html").read_text(encoding="utf-8"))
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
_GONE = "That request is closed: it was answered or it ran out."
_MESSAGES = 30
_TYPED = ("phone", "business", "account", "amount")


@dataclass(frozen=True, slots=True)
class _Lipa:
    """What was typed into the menu's forms, which one was sent, and what was wrong with it."""

    typed: Mapping[str, str] = field(default_factory=dict)
    sent: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Screen:
    """One page for every phone of the sandbox."""

    express: Express
    lipa: LipaNaMpesa

    async def page(self, request: web.Request) -> web.Response:
        """Show the phone; with nothing to answer or to fill in the page looks again by itself."""
        return self._page(lipa=_Lipa() if "lipa" in request.query else None)

    async def prompts(self, _: web.Request) -> web.Response:
        """List the open prompts."""
        return web.json_response([prompt.shown() for prompt in self.express.prompts()])

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one prompt and go back to the phone."""
        form = await request.post()
        action, pin, prompt = str(form.get("action")), str(form.get("pin", "")), _prompt(request)
        try:
            self.express.answer(prompt, action, pin)
        except NoSuchPrompt:
            return self._refused(request, 404, _GONE, prompt)
        except (WrongAction, NotAPin) as error:
            return self._refused(request, 400, str(error), prompt)
        if _wants_json(request):
            return web.json_response({"id": prompt, "action": action})
        raise web.HTTPSeeOther("/phone")

    async def pay(self, request: web.Request) -> web.Response:
        """Pay from the menu and go back to the phone."""
        form = await request.post()
        typed = {name: str(form.get(name, "")).strip() for name in _TYPED}
        try:
            check_pin(str(form.get("pin", "")))
            phone, amount = typed_phone(typed["phone"]), typed_amount(typed["amount"])
            paid = await self.lipa.pay(phone, typed["business"], amount, typed["account"])
        except NotPaid as error:
            if _wants_json(request):
                return web.json_response({"error": str(error)}, status=400)
            if not isinstance(error, Declined):
                lipa = _Lipa(typed, "account" if "account" in form else "till", str(error))
                return self._page(400, lipa=lipa)
        else:
            if _wants_json(request):
                return web.json_response({"receipt": paid.receipt})
        raise web.HTTPSeeOther("/phone")

    def _refused(self, request: web.Request, status: int, why: str, prompt_id: str) -> web.Response:
        if _wants_json(request):
            return web.json_response({"error": why}, status=status)
        return self._page(status, why, prompt_id)

    def _page(
        self,
        status: int = 200,
        why: str = "",
        prompt_id: str = "",
        lipa: "_Lipa | None" = None,
    ) -> web.Response:
        prompts = self.express.prompts()
        html = _PAGE.render(
            prompts=prompts,
            messages=self.express.money.ledger.messages[: -_MESSAGES - 1 : -1],
            now=names.now(),
            why=why,
            lipa=lipa,
            merchants=self.lipa.merchants,
            about=prompt_id if prompt_id in {prompt.id for prompt in prompts} else "",
        )
        return web.Response(status=status, text=html, content_type="text/html", headers=_HEADERS)


def _prompt(request: web.Request) -> str:
    return request.match_info["prompt"]


def _wants_json(request: web.Request) -> bool:
    return "application/json" in request.headers.get("Accept", "")
