"""Messages by SMS: what was sent, what it cost, and what did not go."""

from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from appliance.domain import phones
from appliance.domain.errors import Invalid
from appliance.flows.messages import Outbox
from appliance.ports import Clock, Messages
from appliance.web.console.shell import SHELL, done, found, page, record

_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesChapter:
    """The list, with another try for what failed."""

    messages: Messages
    outbox: Outbox
    clock: Clock
    provider: str
    title: str = "Messages"
    path: str = "/messages"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get(self.path, self._list),
            web.get(f"{self.path}/{{id}}", self._one),
            web.post(f"{self.path}/{{id}}/again", self._again),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        messages = await self.outbox.newest(_SHOWN)
        spent = await self.outbox.spent(self._month(request))
        return page(
            request,
            "messages.html",
            messages=messages,
            masked=phones.masked,
            spent=spent / 100,
            provider=self.provider,
        )

    async def _one(self, request: web.Request) -> web.Response:
        message = await found(request, self.messages)
        return page(request, "sms.html", sms=message, local=phones.local, provider=self.provider)

    async def _again(self, request: web.Request) -> web.Response:
        message = await found(request, self.messages)
        if self.provider == "none":
            raise Invalid("no SMS provider is set: nobody would send it")
        await record(request, "send message again", message.id)
        await self.outbox.again(message.id)
        raise done(f"{self.path}/{message.id}", "asked")

    def _month(self, request: web.Request) -> datetime:
        """Return when the operator's month began."""
        local = self.clock.now().astimezone(request.app[SHELL].pages.zone)
        return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
