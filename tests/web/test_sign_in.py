"""Who comes in by the operator's door, and who does not."""

from datetime import timedelta

import pyotp
import pytest
from aiohttp import web

from appliance.web.console.sessions import IDLE_SECONDS
from appliance.web.console.shell import page
from tests.web.desk import PASSWORD, desk

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class Till:
    """A chapter with one page and one button."""

    title = "Till"
    path = "/till"

    def __init__(self) -> None:
        self.pressed = 0

    def routes(self) -> list[web.RouteDef]:
        return [web.get(self.path, self._show), web.post(self.path, self._press)]

    async def _show(self, request: web.Request) -> web.Response:
        return page(request, "message.html", heading="Till", message="Here is the money.")

    async def _press(self, _: web.Request) -> web.Response:
        self.pressed += 1
        raise web.HTTPSeeOther(self.path)


async def test_who_is_not_signed_in_sees_nothing_and_learns_nothing() -> None:
    async with desk(Till()) as here:
        for path in ("/", "/till", "/till?q=1", "/no/such/page"):
            answer = await here.client.get(path, allow_redirects=False)
            assert answer.status == 303
            assert answer.headers["Location"].startswith("/sign-in?next=/")
            assert (await here.client.post(path, data={})).status == 401
        assert "Here is the money" not in await (await here.client.get("/till")).text()
        assert (await here.client.get("/healthz")).status == 200


async def test_the_password_opens_and_leads_to_where_somebody_wanted_to_go() -> None:
    async with desk(Till()) as here:
        assert (await here.sign_in("wrong horse")).status == 401
        answer = await here.sign_in(next="/till?state=paid")
        assert (answer.status, answer.headers["Location"]) == (303, "/till?state=paid")
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert PASSWORD not in cookie
        assert "Here is the money" in await here.see("/till")
        assert here.record[0][:3] == ("owner at 127.0.0.1", "signed in", "console")


@pytest.mark.parametrize(
    "wanted", ["//evil.example/", "https://evil.example", "/\\evil.example", "javascript:1", ""]
)
async def test_a_link_to_the_sign_in_leads_nowhere_else(wanted: str) -> None:
    async with desk() as here:
        answer = await here.sign_in(next=wanted)
        assert (answer.status, answer.headers["Location"]) == (303, "/")


async def test_without_a_password_set_nobody_comes_in() -> None:
    async with desk(password_hash=None) as here:
        assert (await here.sign_in("")).status == 401
        assert "appliance passwd" in await (await here.client.get("/sign-in")).text()


async def test_guessing_is_slowed_down_and_a_right_guess_among_them_is_not_looked_at() -> None:
    async with desk() as here:
        for _ in range(10):
            assert (await here.sign_in("guess")).status == 401
        answer = await here.sign_in()
        assert answer.status == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 90
        here.clock.pass_by(timedelta(minutes=2))
        assert (await here.sign_in()).status == 303


async def test_an_authenticators_code_is_asked_for_and_opens_once() -> None:
    async with desk(totp_secret=SECRET) as here:
        code = pyotp.TOTP(SECRET).at(here.clock.now())
        assert (await here.sign_in()).status == 401
        assert (await here.sign_in(code="000000")).status == 401
        assert (await here.sign_in("wrong", code=code)).status == 401
        assert (await here.sign_in(code=code)).status == 303
        here.client.session.cookie_jar.clear()
        assert (await here.sign_in(code=code)).status == 401


async def test_no_other_site_presses_a_button_here() -> None:
    till = Till()
    async with desk(till) as here:
        await here.sign_in()
        ours = {"csrf": await here.csrf()}
        forms: list[tuple[dict[str, str], dict[str, str]]] = [
            ({}, {}),
            ({"csrf": "guess"}, {}),
            (ours, {"Origin": "http://evil.example"}),
            (ours, {"Sec-Fetch-Site": "cross-site"}),
        ]
        for form, headers in forms:
            answer = await here.client.post("/till", data=form, headers=headers)
            assert answer.status == 403
        assert till.pressed == 0
        assert (await here.press("/till")).status == 303
        assert till.pressed == 1


async def test_a_session_ends_when_it_idles_and_when_somebody_ends_it() -> None:
    async with desk(Till()) as here:
        await here.sign_in()
        here.clock.pass_by(timedelta(seconds=IDLE_SECONDS - 1))
        await here.see("/till")
        here.clock.pass_by(timedelta(seconds=IDLE_SECONDS + 1))
        assert (await here.client.get("/till", allow_redirects=False)).status == 303
        await here.sign_in()
        await here.press("/sessions", session="")
        assert (await here.client.get("/till", allow_redirects=False)).status == 303
        await here.sign_in()
        await here.press("/sign-out")
        assert (await here.client.get("/till", allow_redirects=False)).status == 303


async def test_a_page_that_is_not_there_says_so_and_runs_nothing_foreign() -> None:
    async with desk() as here:
        await here.sign_in()
        answer = await here.client.get("/<script>alert(1)</script>")
        assert answer.status == 404
        assert "<script>alert" not in await answer.text()
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy


async def test_a_page_that_asks_by_itself_keeps_nobody_signed_in_for_ever() -> None:
    async with desk() as here:
        await here.sign_in()
        sessions, (cookie,) = here.sessions, list(here.client.session.cookie_jar)
        here.clock.pass_by(timedelta(seconds=IDLE_SECONDS - 1))
        assert sessions.find(cookie.value, by_itself=True) is not None
        here.clock.pass_by(timedelta(seconds=2))
        assert sessions.find(cookie.value, by_itself=True) is None
        await here.sign_in()
        for _ in range(14):
            here.clock.pass_by(timedelta(seconds=IDLE_SECONDS))
            await here.see("/sessions")
        here.clock.pass_by(timedelta(seconds=1))
        assert (await here.client.get("/sessions", allow_redirects=False)).status == 303


async def test_a_sign_in_that_was_refused_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with desk() as here:
        await here.sign_in("guess-guess")
        assert "sign-in refused address=127.0.0.1 why=password_wrong" in caplog.text
        assert "guess-guess" not in caplog.text
