"""Who calls at Safaricom's door: nothing is signed, so several small proofs have to agree.

The secret in the path, the payment's own token in it, and where the call comes from. What fails is
turned away and written down; what is in doubt is only a reason to ask.
"""

import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import web
from aiohttp.typedefs import Handler

from appliance.domain import ids
from appliance.domain.errors import StoreUnavailable
from appliance.domain.records import WebhookLog
from appliance.flows.bounds import Bounds, Rate
from appliance.flows.intake import REFUSED
from appliance.ports import Clock, WebhookLogs
from appliance.web.guard import in_time

log = logging.getLogger(__name__)

Network = IPv4Network | IPv6Network
# As copied from list to list; Safaricom publishes none. The third row is in some of them only.
SAFARICOM: tuple[Network, ...] = tuple(
    ip_network(f"196.201.{end}")
    for end in (
        *("214.200", "214.206", "214.207", "214.208", "213.44", "213.114"),
        *("212.69", "212.74", "212.127", "212.129", "212.136", "212.138"),
        *("212.128", "212.132"),
    )
)
PROBE = "/hooks/{secret}/probe/{token}"
"""Where the box itself calls, to see whether the way in leads to it: from no address of theirs."""
_KEPT_BODY = 4096
# However many come: a few of each kind at once, then one now and then.
_KEPT = Rate(10, 3600.0)


@dataclass(frozen=True, slots=True)
class Caller:
    """What is known of who calls."""

    address: str | None = None
    listed: bool | None = None
    """Whether the address is one of Safaricom's; None where no public address can be seen."""
    retired: bool = False
    """Whether the secret is one that was replaced."""

    @property
    def doubtful(self) -> bool:
        """Say whether a message that names no payment of ours has to be checked first."""
        return self.listed is False or (self.retired and not self.listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """What the operator has set about callers."""

    previous: Sequence[str] = ()
    """Secrets of before: pushes that were under way then are still called back there."""
    allowed: Sequence[Network] = SAFARICOM
    enforce: bool = False
    """Turn away whoever is not in the list; else it is only written down."""
    header: str | None = None
    """Where a tunnel writes the caller's address."""

    def where(self, request: web.Request) -> Caller:
        """Return who calls, by address; a tunnel's header is trusted because of the listener."""
        shown = request.headers.get(self.header, "") if self.header else request.remote or ""
        try:
            address = ip_address(shown.rpartition(",")[2].strip())
        except ValueError:
            return Caller()
        return Caller(address=str(address), listed=self._is_listed(address))

    def _is_listed(self, address: IPv4Address | IPv6Address) -> bool | None:
        plain = getattr(address, "ipv4_mapped", None) or address
        if any(plain in network for network in self.allowed):
            return True
        return False if plain.is_global else None


CALLER = web.RequestKey("CALLER", Caller)


class Admission:
    """Turns away who proves nothing, and writes down that they came and why they were not heard."""

    def __init__(
        self, callers: Callers, path_secret: str, webhooks: WebhookLogs, clock: Clock
    ) -> None:
        self._callers, self._path_secret = callers, path_secret
        self._webhooks, self._clock = webhooks, clock
        everybody = replace(_KEPT, most=4 * _KEPT.most)
        self._kept = Bounds(clock=clock, each=_KEPT, everybody=everybody)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the handler hear who is not turned away."""
        if request.match_info.http_exception is not None:
            return await handler(request)
        caller = self._callers.where(request)
        if "secret" in request.match_info:
            shown = request.match_info["secret"]
            found = _which(shown, self._path_secret, self._callers.previous)
            if found is None:
                await self._write_down(request, caller, "wrong_secret")
                raise web.HTTPNotFound
            caller = replace(caller, retired=found > 0)
        if self._callers.enforce and not caller.listed and not _is_probe(request):
            await self._write_down(request, caller, "not_safaricom")
            raise web.HTTPForbidden
        request[CALLER] = caller
        try:
            return await handler(request)
        except web.HTTPNotFound:
            await self._write_down(request, caller, "unknown_token")
            raise

    async def _write_down(self, request: web.Request, caller: Caller, why: str) -> None:
        if self._kept.take(why):
            return
        log.warning("a call was turned away why=%s address=%s", why, caller.address)
        try:
            body = await in_time(request.read())
            await self._webhooks.insert(_refused(body, caller, why, self._clock))
        except (web.HTTPException, StoreUnavailable) as error:
            log.warning("it could not be written down why=%s", type(error).__name__)


def _is_probe(request: web.Request) -> bool:
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical == PROBE


def _refused(body: bytes, caller: Caller, why: str, clock: Clock) -> WebhookLog:
    return WebhookLog(
        id=ids.new_id(),
        source=REFUSED,
        type=REFUSED,
        timestamp=clock.now(),
        undated=clock.certain() is None or None,
        raw_body=body.decode("utf-8", errors="replace")[:_KEPT_BODY],
        remote_ip=caller.address,
        listed=caller.listed,
        status=why,
        proved=False,
    )


def _which(shown: str, current: str, previous: Sequence[str]) -> int | None:
    """Return 0 for the current secret, more for one of before; it takes as long for any."""
    same = [
        hmac.compare_digest(shown.encode(errors="replace"), secret.encode())
        for secret in (current, *previous)
    ]
    return same.index(True) if True in same else None
