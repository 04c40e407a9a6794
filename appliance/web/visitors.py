"""Who is asking: the device by the router's own table, the language, and what to carry along."""

import asyncio
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from appliance.domain.devices import Device
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.ports import Router

_KEEP_SECONDS = 2.0
_MOST_KEPT = 2048
_LONGEST_URL = 1024
_MAC = re.compile("(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")
_PLAIN = re.compile(r"[\w .-]{1,64}", re.ASCII)
_CARRIED = ("mac", "ip", "server", "link_login", "dst", "lang")


class Visitors:
    """Recognises devices; an answer of the router is good for two seconds."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._known: dict[str, tuple[float, Device | None]] = {}
        self._strangers: dict[str, float] = {}

    async def device(self, request: web.Request) -> Device | None:
        """Return the device this request really comes from; None while the router is away."""
        ip = (request.remote or "").removeprefix("::ffff:")
        now = asyncio.get_running_loop().time()
        kept_until, device = self._known.get(ip, (0.0, None))
        if now < kept_until:
            return device
        try:
            device = await self._router.host(ip=ip) if _is_ip(ip) else None
        except (RouterUnreachable, RouterRefused):
            return None
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known[ip] = (now + _KEEP_SECONDS, device)
        return device

    def is_stranger(self, request: web.Request) -> bool:
        """Say whether this address was found to own nothing a moment ago."""
        now = asyncio.get_running_loop().time()
        return self._strangers.get(request.remote or "", 0.0) > now

    def stranger(self, request: web.Request) -> None:
        """Remember for two seconds that this address owns nothing."""
        if len(self._strangers) >= _MOST_KEPT:
            self._strangers.clear()
        until = asyncio.get_running_loop().time() + _KEEP_SECONDS
        self._strangers[request.remote or ""] = until

    def acts(self, request: web.Request) -> None:
        """Forget what was remembered of an address that is about to change it."""
        self._strangers.pop(request.remote or "", None)

    async def buyer(
        self, request: web.Request, claims: Mapping[str, str]
    ) -> tuple[Device | None, bool]:
        """Return the device to buy for, and whether it is proved to be the one that asks.

        Else it is a claimed pair of MAC and IP that the router confirms: enough to pay for
        somebody else, never to see or use what is theirs.
        """
        device = await self.device(request)
        if device is not None:
            return device, True
        mac, ip = claims.get("mac", ""), claims.get("ip", "")
        if not _MAC.fullmatch(mac) or not _is_ip(ip):
            return None, False
        try:
            claimed = await self._router.host(mac=mac.upper().replace("-", ":"))
        except (RouterUnreachable, RouterRefused):
            return None, False
        return (claimed if claimed is not None and claimed.ip == ip else None), False


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the router's page handed over; only harmless parts are left, none of it is believed."""

    carry: dict[str, str]
    language: str

    def home(self, **more: str) -> str:
        """Return the way back to the plans."""
        query = urlencode(self.carry | more)
        return f"/?{query}" if query else "/"

    def links(
        self, path: str, languages: tuple[str, ...], keep: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return this page's address in every language."""
        rest = {name: value for name, value in self.carry.items() if name != "lang"}
        rest |= keep or {}
        query = f"{urlencode(rest)}&" if rest else ""
        return {language: f"{path}?{query}lang={language}" for language in languages}


def arrival(
    request: web.Request, values: Mapping[str, str], languages: tuple[str, ...], default: str
) -> Arrival:
    """Return the harmless part of a query or a form, and the language to answer in."""
    given = ((name, values.get(name)) for name in _CARRIED)
    carry = {name: value for name, value in given if value and _harmless(name, value)}
    if carry.get("lang") not in languages:
        carry.pop("lang", None)
    language = carry.get("lang") or _accepted(request, languages) or default
    return Arrival(carry, language)


def safe_url(text: str) -> bool:
    """Say whether a link to this address is a plain web link."""
    if not text or len(text) > _LONGEST_URL or not text.isprintable() or "\\" in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _harmless(name: str, value: str) -> bool:
    match name:
        case "mac":
            return _MAC.fullmatch(value) is not None
        case "ip":
            return _is_ip(value)
        case "link_login" | "dst":
            return safe_url(value)
        case _:
            return _PLAIN.fullmatch(value) is not None


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _accepted(request: web.Request, languages: tuple[str, ...]) -> str | None:
    """Return the first language the browser names that we speak."""
    for part in request.headers.get("Accept-Language", "")[:200].split(","):
        tag = part.partition(";")[0].strip()[:2].lower()
        if tag in languages:
            return tag
    return None
