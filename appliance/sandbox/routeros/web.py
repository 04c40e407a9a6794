"""The hotspot as a phone meets it: every HTTP request goes to the login page until it may pass."""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler

from appliance.sandbox.routeros import values
from appliance.sandbox.routeros.config import SERVER
from appliance.sandbox.routeros.faults import Faults, WrongFaults
from appliance.sandbox.routeros.hotspot import Hotspot, LoginRefused, Session, mac_of
from appliance.sandbox.routeros.markup import rendered
from appliance.sandbox.routeros.rest import Rest

_COOKIE = "MT_hotspot"
_CHALLENGE_BYTES = 16
_STATUS_OF_PROBE = {"/generate_204": 204, "/gen_204": 204}
_APPLE = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"


class HotspotWeb:
    """The captive web server of the router; who asks is known by the address they come from."""

    def __init__(
        self,
        hotspot: Hotspot,
        faults: Faults,
        pages: Mapping[str, str],
        name: str,
        rest: Rest | None = None,
    ) -> None:
        self._hotspot = hotspot
        self._faults = faults
        self._pages = pages
        self._name = name
        self._rest = rest
        self._challenges: dict[str, tuple[int, bytes]] = {}

    def application(self, away: Callable[[], bool]) -> web.Application:
        """Return the application; while the router is away its connections are cut."""

        @web.middleware
        async def heard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path == "/faults":
                return await handler(request)
            if away():
                if request.transport is not None:
                    request.transport.abort()
                raise web.HTTPServiceUnavailable
            if not request.path.startswith("/rest/"):
                self._hotspot.join(_address(request))
            return await handler(request)

        app = web.Application(middlewares=[heard])
        if self._rest is not None:
            self._rest.add_to(app)
        app.router.add_get("/faults", self._show_faults)
        app.router.add_put("/faults", self._set_faults)
        app.router.add_route("*", "/login", self._login)
        app.router.add_route("*", "/logout", self._logout)
        app.router.add_get("/status", self._status)
        app.router.add_get("/api", self._capport)
        app.router.add_route("*", "/{path:.*}", self._anything)
        return app

    async def _anything(self, request: web.Request) -> web.StreamResponse:
        """Let a request through to the pretend Internet, or catch it."""
        address = _address(request)
        if self._hotspot.blocked(address):
            raise web.HTTPForbidden
        if self._hotspot.let_through(address):
            return _internet(request)
        return self._page(request, "rlogin.html", {"link-orig": _asked_for(request)})

    async def _login(self, request: web.Request) -> web.StreamResponse:
        """Serve the login page; with a name and a password, try to let the device in."""
        address = _address(request)
        posted = await request.post() if request.method == "POST" else {}
        fields = {**request.query, **posted}
        given = {name: value for name, value in fields.items() if isinstance(value, str)}
        if self._hotspot.is_online(address):
            return self._page(request, "status.html", given)
        session = self._hotspot.login_by_cookie(request.cookies.get(_COOKIE, ""), address)
        if session is not None:
            return self._welcome(request, session, given)
        if "username" not in given:
            return self._page(request, "login.html", given)
        try:
            session = self._let_in(address, given)
        except LoginRefused as refusal:
            words = {"error": str(refusal), "error-orig": str(refusal)}
            name = "flogin.html" if "flogin.html" in self._pages else "login.html"
            return self._page(request, name, given | words)
        return self._welcome(request, session, given)

    def _let_in(self, address: str, given: Mapping[str, str]) -> Session:
        """Log in by PAP or CHAP, whichever of the two the server takes and the form used."""
        user, said = given["username"], given.get("password", "")
        takes = self._hotspot.config.logs_in_by
        found = self._hotspot.config.users.named(user)
        password = found[1].get("password", "") if found else ""
        challenge = self._challenges.pop(address, None)
        if takes("http-chap") and challenge is not None and said == _chap(*challenge, password):
            return self._hotspot.login(user, password, address, None, "http-chap")
        if takes("http-pap"):
            return self._hotspot.login(user, said, address, None, "http-pap")
        raise LoginRefused("invalid username or password")

    def _welcome(
        self, request: web.Request, session: Session, given: Mapping[str, str]
    ) -> web.StreamResponse:
        self._hotspot.cookies.issue("mac-cookie", session.user, session.mac)
        answer = self._page(request, "alogin.html", given)
        cookie = self._hotspot.cookies.issue("cookie", session.user, session.mac)
        if cookie is not None:
            answer.set_cookie(_COOKIE, cookie.value, httponly=True)
        return answer

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        address = _address(request)
        for session in self._hotspot.sessions:
            if session.address == address:
                answer = self._page(request, "logout.html", {})
                self._hotspot.reset(session)
                return answer
        return self._page(request, "login.html", {})

    async def _status(self, request: web.Request) -> web.StreamResponse:
        online = self._hotspot.is_online(_address(request))
        return self._page(request, "status.html" if online else "login.html", {})

    async def _capport(self, request: web.Request) -> web.StreamResponse:
        answer = self._page(request, "api.json", {})
        answer.headers["Content-Type"] = "application/captive+json"
        answer.headers["Cache-Control"] = "private, no-store"
        return answer

    def _page(self, request: web.Request, name: str, given: Mapping[str, str]) -> web.Response:
        """Return a page of the router's folder; what is not in it is 404."""
        if name not in self._pages:
            raise web.HTTPNotFound
        page = rendered(self._pages[name], self._variables(request, name, given))
        headers = {"Content-Type": "text/html", "Cache-Control": "no-cache"} | page.headers
        return web.Response(body=page.body.encode(), status=page.status, headers=headers)

    def _variables(
        self, request: web.Request, name: str, given: Mapping[str, str]
    ) -> dict[str, str]:
        address, base = _address(request), f"http://{request.host}"
        original = given.get("link-orig") or given.get("dst", "")
        known = {
            "mac": mac_of(address),
            "ip": address,
            "identity": self._name,
            "server-name": SERVER,
            "server-address": request.host,
            "hostname": request.host,
            "interface-name": "bridge",
            "link-login": f"{base}/login?{urlencode({'dst': original})}",
            "link-login-only": f"{base}/login",
            "link-logout": f"{base}/logout",
            "link-status": f"{base}/status",
            "link-orig": original,
            "link-redirect": original or f"{base}/status",
            "username": given.get("username", ""),
            "var": given.get("var", ""),
            "target": given.get("target", ""),
            "logged-in": "yes" if self._hotspot.is_online(address) else "no",
            "trial": "no",
            "session-timeout-secs": "0",
            "session-time-left-secs": "0",
            "plain-passwd": "yes" if self._hotspot.config.logs_in_by("http-pap") else "no",
        }
        if name in {"login.html", "flogin.html"}:
            known |= self._login_only(address, given)
        return known | self._session_variables(address)

    def _login_only(self, address: str, given: Mapping[str, str]) -> dict[str, str]:
        """Return what exists on the login page alone."""
        shown = {"error": given.get("error", ""), "error-orig": given.get("error-orig", "")}
        if self._hotspot.config.logs_in_by("http-chap"):
            chap_id = secrets.randbelow(256)
            challenge = secrets.token_bytes(_CHALLENGE_BYTES)
            self._challenges[address] = chap_id, challenge
            shown |= {"chap-id": _octal(bytes((chap_id,))), "chap-challenge": _octal(challenge)}
        return shown

    def _session_variables(self, address: str) -> dict[str, str]:
        now = self._hotspot.clock.monotonic()
        for session in self._hotspot.sessions:
            if session.address == address:
                left = 0 if session.ends is None else round(session.ends - now)
                return {
                    "username": session.user,
                    "uptime": values.time_text(now - session.began),
                    "uptime-secs": str(int(now - session.began)),
                    "session-time-left": values.time_text(left) if left else "",
                    "session-time-left-secs": str(left),
                    "session-timeout-secs": str(left),
                    "remain-bytes-total": str(session.bytes_left or ""),
                }
        return {}

    async def _show_faults(self, _: web.Request) -> web.Response:
        return web.json_response(self._faults.shown())

    async def _set_faults(self, request: web.Request) -> web.Response:
        try:
            self._faults.set(json.loads(await request.text()))
        except (ValueError, WrongFaults) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(self._faults.shown())


def _internet(request: web.Request) -> web.Response:
    """Answer as the Internet would: the phones' own probes, and a page for a person."""
    status = _STATUS_OF_PROBE.get(request.path)
    if status is not None:
        return web.Response(status=status)
    if request.path == "/hotspot-detect.html":
        return web.Response(text=_APPLE, content_type="text/html")
    if request.path == "/connecttest.txt":
        return web.Response(text="Microsoft Connect Test")
    return web.Response(text=_INTERNET.format(escape(request.host)), content_type="text/html")


_INTERNET = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>The Internet</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;margin:3rem auto;max-width:30rem;padding:0 1rem}}
</style><h1>The Internet</h1>
<p>This device is online: the pretend router lets it through.</p>
<p><a href="http://{0}/status">Hotspot status</a> · <a href="http://{0}/logout">Log out</a></p>
"""


def _asked_for(request: web.Request) -> str:
    return f"http://{request.host}{request.path_qs}"


def _address(request: web.Request) -> str:
    return request.remote or "127.0.0.1"


def _chap(chap_id: int, challenge: bytes, password: str) -> str:
    """Return what the login page's script makes of a password."""
    said = bytes((chap_id,)) + password.encode() + challenge
    return hashlib.md5(said, usedforsecurity=False).hexdigest()


def _octal(raw: bytes) -> str:
    """Return bytes as the page shows them, for a script's string literal to read."""
    return "".join(f"\\{byte:03o}" for byte in raw)
