"""A real browser, on a cheap phone's screen, beside a whole world."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.world import World

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = Path("artifacts/screenshots/journey")
PHONE = "0712 345 001"


@pytest.fixture
def mongodb_uri() -> None:
    """Pages look the same on every store: SQLite is enough here."""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    assert CHROMIUM is not None, "chromium is missing: sudo apt-get install chromium"
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        await chromium.close()


class Person:
    """Somebody with a phone in the hand: one browser for the hotspot, one screen for M-Pesa."""

    def __init__(self, world: World, browser: Browser, **context: Any) -> None:
        self.world = world
        self.browser = browser
        self._context = {"viewport": {"width": 360, "height": 740}, **context}
        self._open: BrowserContext | None = None

    async def captive_browser(self) -> Page:
        """Return a fresh captive browser: nothing is remembered from the last one.

        On a device that is online already, no page opens by itself.
        """
        await self.close()
        self._open = await self.browser.new_context(**self._context)
        page = await self._open.new_page()
        if not await self.is_online(page):
            host = f"http://127.0.0.1:{self.world.ports.router_web}"
            await page.goto(f"{host}/generate_204")
        return page

    async def close(self) -> None:
        if self._open is not None:
            assert await self._open.cookies() == []
            await self._open.close()
            self._open = None

    async def orders(self, page: Page, plan: str = "hour") -> None:
        """Pick a plan, type the number, press the button."""
        await page.check(f"input[name=plan][value={plan}]", force=True)
        await page.fill("form[action='/purchase'] input[name=phone]", PHONE)
        await page.click("form[action='/purchase'] button")
        await page.wait_for_url("**/wait/*")

    async def answers(self, action: str) -> None:
        """Answer the prompt on the phone's own screen."""
        screen = await self.browser.new_page(viewport={"width": 360, "height": 740})
        await screen.goto(f"http://127.0.0.1:{self.world.ports.daraja}/phone")
        await self.look(screen, f"phone-{action}")
        if action == "pay":
            await screen.fill("input[name=pin]", "1234")
        await screen.click(f"button[name=action][value={action}]")
        await screen.close()

    async def look(self, page: Page, name: str) -> None:
        """Keep a picture for human eyes."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    async def is_online(self, page: Page) -> bool:
        """Ask what the phone itself asks."""
        url = f"http://127.0.0.1:{self.world.ports.router_web}/generate_204"
        answer = await page.request.get(url, max_redirects=0)
        return answer.status == 204
