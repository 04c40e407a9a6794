"""Signing in and out, and seeing who else is in."""

import logging
from dataclasses import dataclass

from aiohttp import web

from appliance.domain.errors import Invalid, TooMany
from appliance.web.console.shell import (
    COOKIE,
    SESSION,
    SHELL,
    SIGN_IN,
    Shell,
    done,
    form_of,
    onward,
    page,
    record,
    same_site,
)

log = logging.getLogger(__name__)

_WORDS = {
    "password_unset": "No password is set yet. Run `appliance passwd` on the box first.",
    "password_wrong": "That is not right. Try again.",
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """The way in and out."""

    title: str = "Signed in"
    path: str = "/sessions"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get(SIGN_IN, self._form),
            web.post(SIGN_IN, self._sign_in),
            web.post("/sign-out", self._sign_out),
            web.get(self.path, self._sessions),
            web.post(self.path, self._end),
        ]

    async def _form(self, request: web.Request) -> web.Response:
        if SESSION in request:
            raise done("/")
        return _shown(request, request.query.get("next", ""))

    async def _sign_in(self, request: web.Request) -> web.Response:
        shell, form = request.app[SHELL], await form_of(request)
        if not same_site(request):
            raise web.HTTPForbidden
        address, wanted = request.remote or "", form.get("next", "")
        try:
            await shell.keys.open(address, form.get("password", ""), form.get("code", ""))
        except TooMany as error:
            log.warning("sign-in refused address=%s why=too_many", address)
            said = f"Too many tries. Wait {max(1, round(error.seconds / 60))} min."
            answer = _shown(request, wanted, said, status=429)
            answer.headers["Retry-After"] = str(error.seconds)
            return answer
        except Invalid as error:
            log.warning("sign-in refused address=%s why=%s", address, error.reason)
            return _shown(request, wanted, _WORDS[error.reason], status=401)
        token = shell.sessions.begin(address, request.headers.get("User-Agent", ""))
        await shell.record(f"owner at {address}", "signed in", "console")
        answer = done(onward(request, wanted))
        _set_cookie(answer, shell, token)
        raise answer

    async def _sign_out(self, request: web.Request) -> web.Response:
        request.app[SHELL].sessions.end(request[SESSION].id)
        answer = done(SIGN_IN)
        answer.del_cookie(COOKIE)
        raise answer

    async def _sessions(self, request: web.Request) -> web.Response:
        sessions = request.app[SHELL].sessions.all()
        return page(request, "sessions.html", sessions=sessions, mine=request[SESSION].id)

    async def _end(self, request: web.Request) -> web.Response:
        shell, form = request.app[SHELL], await form_of(request)
        which = form.get("session", "")
        await record(request, "ended a session", which or "all")
        if which:
            shell.sessions.end(which)
        else:
            shell.sessions.end_all()
        raise done(self.path, "ended")


def _shown(request: web.Request, wanted: str, problem: str = "", status: int = 200) -> web.Response:
    shell = request.app[SHELL]
    return page(
        request,
        "sign_in.html",
        status=status,
        wanted=onward(request, wanted),
        problem=problem,
        unset=shell.keys.password_hash is None,
        asks_code=shell.keys.totp_secret is not None,
    )


def _set_cookie(answer: web.HTTPSeeOther, shell: Shell, token: str) -> None:
    # Not kept by the browser when it is closed; no other site's link or form takes it along.
    answer.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=shell.secure)
