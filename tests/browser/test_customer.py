"""The customer, from the captive redirect to a 204, in a real browser."""

from playwright.async_api import Browser, expect

from tests.browser.conftest import PHONE, Person
from tests.journeys.test_recover import allow_status
from tests.world import World


async def test_pays_and_is_online(world: World, browser: Browser) -> None:
    person = Person(world, browser)
    page = await person.captive_browser()
    await person.look(page, "home")
    assert not await person.is_online(page)
    await person.orders(page)
    await person.look(page, "wait")
    await person.answers("pay")
    await page.wait_for_url("**/done/*")
    await person.look(page, "done")
    assert await person.is_online(page)
    (voucher,) = [u for u in world.near.router.hotspot.users if u.name != "admin"]
    shown = (await page.inner_text("body")).replace(" ", "").replace("-", "")
    assert voucher.name in shown.replace("\n", "")
    await person.close()


async def test_cancels_and_tries_again(world: World, browser: Browser) -> None:
    person = Person(world, browser)
    page = await person.captive_browser()
    await person.orders(page)
    await person.answers("cancel")
    await expect(page.locator("form[action='/purchase'] button")).to_be_visible(timeout=15000)
    await person.look(page, "cancelled")
    await page.click("form[action='/purchase'] button")
    await page.wait_for_url("**/wait/*")
    await person.answers("pay")
    await page.wait_for_url("**/done/*")
    assert await person.is_online(page)
    await person.close()


async def test_closes_the_page_while_paying_and_comes_back(world: World, browser: Browser) -> None:
    person = Person(world, browser)
    page = await person.captive_browser()
    await person.orders(page)
    page = await person.captive_browser()
    assert "/wait/" in page.url
    await person.close()
    await person.answers("pay")
    page = await person.captive_browser()
    await page.goto(f"http://127.0.0.1:{world.ports.portal}/")
    await page.wait_for_url("**/done/*")
    assert await person.is_online(page)
    await person.look(page, "come-back")
    await person.close()


async def test_has_javascript_off(world: World, browser: Browser) -> None:
    person = Person(world, browser, java_script_enabled=False)
    page = await person.captive_browser()
    await person.look(page, "home-without-javascript")
    await person.orders(page)
    await person.look(page, "wait-without-javascript")
    await person.answers("pay")
    await page.wait_for_url("**/done/*", timeout=20000)
    assert await person.is_online(page)
    await person.close()


async def test_reads_swahili(world: World, browser: Browser) -> None:
    person = Person(world, browser, locale="sw-KE")
    page = await person.captive_browser()
    assert await page.get_attribute("html", "lang") == "sw"
    await person.look(page, "home-sw")
    await person.orders(page)
    assert await page.get_attribute("html", "lang") == "sw"
    await person.look(page, "wait-sw")
    await person.answers("pay")
    await page.wait_for_url("**/done/*")
    assert await page.get_attribute("html", "lang") == "sw"
    await person.look(page, "done-sw")
    await person.close()


async def test_mistypes_the_number_and_is_told_beside_it(world: World, browser: Browser) -> None:
    person = Person(world, browser)
    page = await person.captive_browser()
    await page.check("input[name=plan][value=hour]", force=True)
    await page.fill("form[action='/purchase'] input[name=phone]", "12345")
    await page.click("form[action='/purchase'] button")
    field = page.locator("form[action='/purchase'] input[name=phone]")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_value("12345")
    await person.look(page, "wrong-number")
    await person.close()


async def test_types_a_voucher_bought_elsewhere(world: World, browser: Browser) -> None:
    giver = world.customer(9)
    await giver.arrive()
    bought = await giver.buy()
    await giver.phone_does("pay")
    await giver.until(bought["token"], "online")
    await world.near.router.reboot()
    person = Person(world, browser)
    page = await person.captive_browser()
    await page.locator("details:has(form[action='/redeem']) summary").click()
    await page.fill("form[action='/redeem'] input[name=code]", bought["voucherCode"].lower())
    await page.click("form[action='/redeem'] button")
    await page.wait_for_url("**/done/*")
    assert await person.is_online(page)
    await person.close()


async def test_types_a_receipt_that_nobody_told_of(world: World, browser: Browser) -> None:
    await allow_status(world)
    await world.faults(callback="never", query="in_flight_forever", initiator_delay=3)
    person = Person(world, browser)
    page = await person.captive_browser()
    await person.orders(page)
    await person.answers("pay")
    await page.goto(f"http://127.0.0.1:{world.ports.portal}/?buy=1")
    await page.get_by_text("I already paid").click()
    receipt = world.near.daraja.ledger.payments[0].receipt
    await page.fill("#code", f"{receipt} Confirmed. Ksh10.00 sent to NJERI WIFI on 27/11/26")
    await page.click("form[action='/redeem'] button")
    await expect(page.get_by_role("heading", name="Which number paid?")).to_be_visible()
    await expect(page.locator("#receipt")).to_have_value(receipt)
    await page.fill("#phone", PHONE)
    await world.faults(
        callback="never", query="in_flight_forever", initiator_delay=3, initiator_items="credited"
    )
    await page.click("form[action='/recover'] button")
    await expect(page.get_by_role("heading", name="Checking with M-Pesa")).to_be_visible()
    await person.look(page, "checking")
    assert page.url.endswith("/recover")
    await page.wait_for_url("**/done/*", timeout=15000)
    assert await person.is_online(page)
    await person.close()
