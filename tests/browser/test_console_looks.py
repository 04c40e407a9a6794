"""Every page of the console that a link leads to, in a real browser, on a phone and on a desk."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from appliance.sandbox.config import PASSWORD
from tests.browser.test_page_looks import (
    ARGUMENTS,
    CHROMIUM,
    DESK,
    PHONE,
    SCREENSHOTS,
    listen,
    photograph,
    sideways,
    violations,
)
from tests.web.conftest import Known
from tests.web.house import House, house

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is not installed"),
    pytest.mark.timeout(240),
]
_LINKS = "document.querySelectorAll('nav .menu a, main a[href]')"
_FILES = ("/export", ".pdf", ".csv")
_LEAST = 20


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as made:
        Known(made)  # there has been a sale
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def console(browser: Browser, lived_in: House) -> Iterator[Page]:
    """Yield a page at the sign-in."""
    context = browser.new_context(viewport=PHONE, base_url=lived_in.addresses["admin"])
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto("/")
    yield page
    context.close()


def sign_in(page: Page) -> None:
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


def test_every_page_is_open_to_everybody_on_a_phone_and_on_a_desk(
    console: Page, lived_in: House
) -> None:
    complaints, strangers = listen(console, lived_in.addresses["admin"])
    (SCREENSHOTS / "console").mkdir(parents=True, exist_ok=True)
    look_at(console, "/sign-in")
    sign_in(console)
    seen, ahead = set[str](), ["/"]
    while ahead:
        path = ahead.pop(0)
        kind = kind_of(path)
        if kind in seen:
            continue
        seen.add(kind)
        console.set_viewport_size(PHONE)
        answer = console.goto(path)
        assert answer is not None
        assert answer.ok, path
        look_at(console, path)
        ahead += [one for one in links(console) if kind_of(one) not in seen]
    assert len(seen) >= _LEAST, seen
    # What starts like this is advice on how a password manager reads a page.
    assert [one for one in complaints if not one.startswith("[DOM]")] == []
    assert strangers == []


def look_at(page: Page, path: str) -> None:
    """Hold one page to what everybody needs, at both sizes, in light and in dark."""
    name = f"console/{kind_of(path).strip('/').replace('/', '_') or 'home'}"
    for size, scheme in ((PHONE, "light"), (DESK, "dark")):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme="light")
        photograph(page, name)
        assert sideways(page) == 0, (path, size)
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert violations(page) == [], (path, size)
    page.emulate_media(color_scheme="light")


def links(page: Page) -> list[str]:
    """Return the addresses that a page leads to, but for files to save."""
    found: list[str] = page.evaluate(f"[...{_LINKS}].map(one => one.getAttribute('href'))")
    return [one for one in found if one.startswith("/") and not is_file(one)]


def is_file(path: str) -> bool:
    place = urlsplit(path).path
    return place == "/audit/export" or place.endswith(_FILES[1:])


def kind_of(path: str) -> str:
    """Return a page's address with every id in it alike, and without what only filters it."""
    parts = urlsplit(path).path.split("/")
    if parts[-1] == "edit":  # what is edited may have any word for an id
        parts[-2] = "id"
    return "/".join("id" if any(c.isdigit() for c in part) else part for part in parts)


def test_without_javascript_the_menu_and_the_forms_work(browser: Browser, lived_in: House) -> None:
    address = lived_in.addresses["admin"]
    context = browser.new_context(viewport=PHONE, base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/audit")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/audit")
    page.get_by_text("Menu").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    context.close()
