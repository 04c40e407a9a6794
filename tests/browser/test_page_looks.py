"""The portal's pages in a real browser: readable by everybody, and asking nothing of strangers."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from appliance.web.pages import Pages
from tests.web.page_samples import CARRY, LOOK, NONCE, SAMPLES, rendered

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
POLICY = (
    f"default-src 'none'; style-src 'nonce-{NONCE}'; script-src 'nonce-{NONCE}'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'self' http:"
)
PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 800}
NARROWEST: ViewportSize = {"width": 320, "height": 640}
# What a colour does does not depend on the language, so each language tries one of the schemes.
SCHEMES: dict[str, Literal["light", "dark"]] = {"en": "light", "sw": "dark"}
SCREENSHOTS = Path(__file__).parents[2] / "artifacts" / "screenshots"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is not installed")


class Portal(BaseHTTPRequestHandler):
    """Serves `/<sample>/<lang>` under the portal's own headers, and a purchase's status."""

    pages = Pages(LOOK)
    status: ClassVar[dict[str, str]] = {}
    found: ClassVar[bool] = False

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/api/"):
            return self.answer("application/json", json.dumps(self.status))
        sample, _, lang = path.strip("/").partition("/")
        if sample not in SAMPLES:
            return self.answer("text/plain", path)
        more = {}
        if sample.startswith("wait-"):
            more = {"here_url": "/here", "done_url": "/done"}
        return self.answer("text/html", rendered(self.pages, sample, lang, **more))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if Portal.found:
            self.send_response(303)
            self.send_header("Location", "/wait/t0ken")
            self.end_headers()
            return
        self.answer("text/html", rendered(self.pages, "checking-receipt", "en"))

    def answer(self, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests speak."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def portal() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser: Browser, portal: str) -> Iterator[Page]:
    Portal.status = {"state": "pending", "message": "Enter your M-Pesa PIN on your phone."}
    Portal.found = False
    context = browser.new_context(viewport=PHONE, base_url=portal)
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_page_is_open_to_everybody(page: Page, portal: str, sample: str) -> None:
    Portal.status = {"state": SAMPLES[sample].get("state", ""), "message": ""}
    complaints, strangers = listen(page, portal)
    for lang, scheme in SCHEMES.items():
        page.set_viewport_size(PHONE)
        page.goto(f"/{sample}/{lang}")
        photograph(page, f"{sample}-{lang}")
        assert sideways(page) == 0
        assert too_small(page) == []
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(NARROWEST)
        assert sideways(page) == 0
        page.set_viewport_size(DESK)
        photograph(page, f"{sample}-{lang}")
        assert sideways(page) == 0
    assert (complaints, strangers) == ([], [])


def test_the_button_names_the_price_of_the_chosen_plan(page: Page) -> None:
    page.goto("/home-plans/en")
    button = page.locator("#buy button")
    expect(button).to_have_text("Pay with M-Pesa")
    page.get_by_text("1 day").click()
    expect(button).to_have_text("Pay KSh 50 with M-Pesa")


def test_the_way_to_the_mistake_is_one_tap(page: Page) -> None:
    page.goto("/home-bad_phone/en")
    page.get_by_role("alert").get_by_role("link").click()
    expect(page.get_by_label("M-Pesa number")).to_be_focused()


def test_going_online_ends_the_waiting_with_a_navigation(page: Page) -> None:
    page.goto("/wait-pending/en")
    Portal.status = {"state": "online", "message": ""}
    page.wait_for_url("**/done")


@pytest.mark.parametrize("state", ["paid", "failed", "cancelled", "unknown"])
def test_any_other_news_shows_the_page_anew(page: Page, state: str) -> None:
    page.goto("/wait-pending/en")
    Portal.status = {"state": state, "message": ""}
    page.wait_for_url("**/here")


def test_a_new_sentence_is_spoken_where_the_old_one_stood(page: Page) -> None:
    Portal.status = {"state": "paid", "message": "Paid. <b>Almost</b> there."}
    page.goto("/wait-paid/en")
    expect(page.get_by_role("status")).to_have_text("Paid. <b>Almost</b> there.")


def test_coming_back_to_the_page_asks_at_once(page: Page) -> None:
    page.clock.install()
    page.goto("/wait-pending/en")
    page.clock.pause_at(page.evaluate("Date.now()") + 1_000)
    with page.expect_request("**/api/captive/status/*"):
        page.evaluate("window.dispatchEvent(new Event('online'))")


def test_the_countdown_follows_the_clock_through_a_sleep(page: Page) -> None:
    page.clock.install()
    page.goto("/wait-pending/en")
    page.clock.fast_forward(40_000)
    assert 45 <= int(page.locator("#left").inner_text()) <= 47
    page.clock.fast_forward(50_000)
    expect(page.get_by_text("No answer yet")).to_be_visible()
    expect(page.get_by_role("link", name="Check again")).to_be_visible()


def test_a_locked_retry_opens_by_itself(page: Page) -> None:
    page.clock.install()
    page.goto("/failed-locked/en")
    retry = page.get_by_role("button", name="Try again: KSh 20")
    expect(retry).to_be_disabled()
    page.clock.fast_forward(119_000)
    expect(retry).to_be_enabled()


def test_a_receipt_is_looked_for_again_until_it_is_found(page: Page) -> None:
    page.clock.install()
    page.goto("/checking-receipt/en")
    with page.expect_response("**/recover") as asked:
        page.clock.fast_forward(4_500)
    assert asked.value.request.post_data_json == {
        **CARRY,
        "receipt": "QKH94M1Z11",
        "phone": "0712 345 678",
        "since": "1795000000",
    }
    expect(page.get_by_role("heading", name="Checking with M-Pesa")).to_be_visible()
    assert page.url.endswith("/checking-receipt/en")
    Portal.found = True
    page.clock.fast_forward(4_500)
    page.wait_for_url("**/wait/t0ken")


def test_without_javascript_a_receipt_is_looked_for_by_a_button(
    browser: Browser, portal: str
) -> None:
    context = browser.new_context(viewport=PHONE, base_url=portal, java_script_enabled=False)
    page = context.new_page()
    page.goto("/checking-receipt/en")
    Portal.found = False
    page.get_by_role("button", name="Check again").click()
    page.wait_for_url("**/recover")
    expect(page.get_by_role("heading", name="Checking with M-Pesa")).to_be_visible()
    context.close()


def test_without_javascript_the_waiting_page_looks_again(browser: Browser, portal: str) -> None:
    context = browser.new_context(viewport=PHONE, base_url=portal, java_script_enabled=False)
    page = context.new_page()
    page.goto("/wait-pending/sw")
    with page.expect_navigation(timeout=15_000):
        pass
    context.close()


def listen(page: Page, portal: str) -> tuple[list[str], list[str]]:
    """Return two lists that fill with the browser's complaints and with requests to strangers."""
    complaints: list[str] = []
    strangers: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((portal, "data:")):
            strangers.append(request.url)

    def hear(message: ConsoleMessage) -> None:
        if str(message.type) != "verbose":  # advice for password managers, said sooner or later
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", note)
    return complaints, strangers


def violations(page: Page) -> list[str]:
    """Return what axe finds, one line each."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]


def too_small(page: Page) -> list[str]:
    """Return what a thumb must hit and may miss."""
    targets = page.locator("button:visible, .box:visible, .plan label, summary, .go, nav a")
    low = "one.offsetHeight > 0 && one.offsetHeight < 48"
    small: list[str] = targets.evaluate_all(
        f"all => all.filter(one => {low}).map(one => one.outerHTML)"
    )
    return small


def sideways(page: Page) -> int:
    """Return how many pixels the page scrolls to the side."""
    width: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width


def photograph(page: Page, name: str) -> None:
    """Keep a picture of the whole page for a person to look at."""
    width = page.viewport_size["width"] if page.viewport_size else 0
    page.screenshot(path=SCREENSHOTS / f"{name}-{width}.png", full_page=True)
