"""Vouchers and batches at the operator's console."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from appliance.domain import debts
from appliance.domain.errors import DeviceAbsent
from appliance.domain.plans import Plan
from appliance.domain.vouchers import State, Voucher, drawn_up
from appliance.flows.amend import Amend
from appliance.flows.batches import Batches
from appliance.flows.evolve import Moved
from appliance.flows.offer import Offer
from appliance.flows.online import Online
from appliance.store.records import Books, books
from appliance.web.console import vouchers
from appliance.web.console.batches import BatchPages
from appliance.web.console.vouchers import VoucherPages
from appliance.web.pages import Look
from appliance.web.tickets import Press
from tests.conftest import HandClock
from tests.gate import DEVICES, MuteGate
from tests.memory_store import AmbushedStore, MemoryStore
from tests.web.desk import Desk, desk

HOUR = Plan(id="hour", name="<b>One hour</b>", price=10, duration=timedelta(hours=1))
CAPPED = replace(HOUR, id="capped", name="Capped", data_limit_bytes=10_000_000)
PRESS = Press(look=Look(brand="Mwangaza"), portal="http://login.hot", language="en")


@dataclass
class Counter:
    """The desk with these pages, and what stands behind them."""

    desk: Desk
    kept: Books
    gate: MuteGate
    clock: HandClock

    async def sold(self, plan: Plan = HOUR, *, online: bool = True) -> Voucher:
        """Return a voucher that was paid for, and is in use."""
        now = self.clock.now()
        made = drawn_up(plan, router_id="here", payment_id="p1", now=now, device=DEVICES[0])
        paid = made.paid(now, "p1")
        self.clock.pass_by(timedelta(seconds=1))
        if online:
            self.gate.online[DEVICES[0].mac] = paid.code
            paid = paid.online(now, DEVICES[0])
        return await self.kept.vouchers.insert(paid)

    async def latest(self, voucher: Voucher) -> Voucher:
        found = await self.kept.vouchers.get(voucher.id)
        assert found is not None
        return found

    async def batch(self, **form: str) -> str:
        """Return the address of a batch made by the form."""
        key = re.findall('name="key" value="([0-9a-f]+)"', await self.desk.see(f"{BATCHES}/new"))
        told = {"plan": "hour", "count": "3", "note": "", "key": str(key[0]), **form}
        answer = await self.desk.press(f"{BATCHES}/new", **told)
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"].partition("?")[0]


BATCHES = "/vouchers/batches"


@asynccontextmanager
async def counter() -> AsyncIterator[Counter]:
    clock, gate, kept = HandClock(), MuteGate(), books(MemoryStore(), "here")
    for plan in (HOUR, CAPPED):
        await kept.plans.insert(plan)
    offer = Offer(plans=kept.plans)
    pages = VoucherPages(
        vouchers=kept.vouchers,
        offer=offer,
        amend=Amend(vouchers=kept.vouchers, router=gate, clock=clock),
        online=Online(vouchers=kept.vouchers, router=gate, clock=clock, router_id="here"),
        router=gate,
        clock=clock,
        router_id="here",
        batches=BatchPages(
            batches=Batches(
                vouchers=kept.vouchers,
                plans=kept.plans,
                router=gate,
                clock=clock,
                router_id="here",
            ),
            offer=offer,
            press=PRESS,
        ),
    )
    async with desk(pages, clock=clock) as here:
        await here.sign_in()
        yield Counter(here, kept, gate, clock)


async def test_vouchers_are_listed_by_state_and_plan_and_shown_whole() -> None:
    async with counter() as here:
        assert "No vouchers yet" in await here.desk.see("/vouchers")
        used, capped = await here.sold(), await here.sold(CAPPED, online=False)
        for query, codes in (
            ("", {used.code, capped.code}),
            ("?state=active", {used.code}),
            ("?plan=capped", {capped.code}),
            ("?plan=capped&state=active", set()),
        ):
            text = await here.desk.see(f"/vouchers{query}")
            assert {one.code for one in (used, capped) if one.code in text} == codes
            assert "<b>" not in text
        text = await here.desk.see(f"/vouchers/{used.id}")
        assert "59 min" in text
        assert "/payments/p1" in text
        assert DEVICES[0].mac in text
        for path in ("/vouchers/none", "/vouchers?state=lost"):
            assert (await here.desk.client.get(path)).status == 404


async def test_a_long_list_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vouchers, "_PAGE", 2)
    monkeypatch.setattr(vouchers, "_MOST_PAGES", 1)
    async with counter() as here:
        made = [await here.sold(online=number == 0) for number in range(5)]
        seen, path = list[str](), "/vouchers?plan=hour"
        for _ in range(3):
            text = await here.desk.see(path)
            seen += re.findall(r'class="mono" href="/vouchers/\w+">(\w+)<', text)
            path = "".join(re.findall(r'href="([^"]+)">Older', text)).replace("&amp;", "&")
        assert seen == [voucher.code for voucher in reversed(made)]
        text = await here.desk.see("/vouchers?plan=hour&state=active")
        assert "go on with Older" in text


async def test_a_code_is_found_however_it_is_typed_and_stands_in_no_address() -> None:
    async with counter() as here:
        voucher = await here.sold()
        typed = f" {voucher.code[:4].lower()}-{voucher.code[4:]} "
        answer = await here.desk.press("/vouchers/find", code=typed)
        assert answer.headers["Location"] == f"/vouchers/{voucher.id}"
        for strange in ("<i>x</i>", "", "\0"):
            answer = await here.desk.press("/vouchers/find", code=strange)
            assert answer.status == 404
            assert "<i>x" not in await answer.text()


async def test_time_is_added_once_however_often_it_is_pressed() -> None:
    async with counter() as here:
        voucher = await here.sold(CAPPED)
        told = {"hours": "0,5", "megabytes": "20", "added": "0-0"}
        assert (await here.desk.press(f"/vouchers/{voucher.id}/extend", **told)).status == 303
        wanted = ("extended a voucher", voucher.code, {"seconds": 1800, "megabytes": 20})
        assert here.desk.record[-1][1:] == wanted
        again = await here.desk.press(f"/vouchers/{voucher.id}/extend", **told)
        assert (again.status, "meanwhile" in await again.text()) == (409, True)
        after = await here.latest(voucher)
        assert (after.extra_seconds, after.extra_bytes) == (1800, 20_000_000)
        assert f'name="added" value="1800-{20 * 10**6}"' in await here.desk.see(
            f"/vouchers/{voucher.id}"
        )


async def test_two_presses_at_once_add_once() -> None:
    store, clock, gate = AmbushedStore(), HandClock(), MuteGate()
    kept = books(store, "here")
    amend = Amend(vouchers=kept.vouchers, router=gate, clock=clock)
    now, hour = clock.now(), timedelta(hours=1)
    made = drawn_up(HOUR, router_id="here", payment_id="p1", now=now).paid(now, "p1")
    await kept.vouchers.insert(made)
    others = list[Voucher]()

    async def other_press() -> None:
        others.append(await amend.extend(made.code, hour, after=(0, 0)))

    store.ambush = other_press
    with pytest.raises(Moved):
        await amend.extend(made.code, hour, after=(0, 0))
    assert [other.extra_seconds for other in others] == [3600]
    assert await kept.vouchers.get(made.id) == others[0]


@pytest.mark.parametrize(
    "form",
    [
        {"hours": "", "added": "0-0"},
        {"hours": "-1", "added": "0-0"},
        {"hours": "1e3", "added": "0-0"},
        {"hours": "99999", "added": "0-0"},
        {"hours": ".", "added": "0-0"},
        {"megabytes": "1.5", "added": "0-0"},
        {"hours": "1", "added": "x-y"},
        {"hours": "1"},
    ],
)
async def test_what_is_no_amount_adds_nothing(form: dict[str, str]) -> None:
    async with counter() as here:
        voucher = await here.sold()
        answer = await here.desk.press(f"/vouchers/{voucher.id}/extend", **form)
        assert answer.status == 400
        assert await here.latest(voucher) == voucher


async def test_a_voucher_is_taken_away_after_that_is_written_down() -> None:
    async with counter() as here:
        voucher = await here.sold()
        text = await here.desk.see(f"/vouchers/{voucher.id}")
        assert "gives no money back" in text
        assert (await here.desk.press(f"/vouchers/{voucher.id}/revoke")).status == 303
        assert here.desk.record[-1][1:3] == ("revoked a voucher", voucher.code)
        assert (await here.latest(voucher)).state is State.REVOKED
        text = await here.desk.see(f"/vouchers/{voucher.id}")
        assert "must be cut off" in text
        assert "Take it away" not in text
        again = await here.desk.press(f"/vouchers/{voucher.id}/revoke")
        assert (again.status, "this voucher is revoked" in await again.text()) == (400, True)


async def test_what_is_owed_is_said_with_why_it_was_not_paid() -> None:
    async with counter() as here:
        voucher = await here.sold(online=False)
        owed = replace(debts.owing(debts.Kind.GRANT, here.clock.now()), last_error="device_absent")
        await here.kept.vouchers.change(voucher, replace(voucher, owed=owed))
        text = await here.desk.see(f"/vouchers/{voucher.id}")
        assert "its device must be let in. Last time: its device is not on the hotspot" in text
        assert vouchers._why(replace(owed, last_error="<odd>: x")) == "<odd>: x"
        assert vouchers._why(replace(owed, last_error=f"{DeviceAbsent.code}: x")).endswith(": x")


async def test_a_device_is_logged_out_so_that_another_may_come_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("appliance.web.console.asking.asked.__defaults__", (0.01,))
    async with counter() as here:
        voucher = await here.sold()
        path = f"/vouchers/{voucher.id}"
        answer = await here.desk.press(f"{path}/log-out", mac=DEVICES[0].mac)
        assert answer.headers["Location"] == f"{path}?said=logged-out"
        assert here.gate.online == {}
        assert here.desk.record[-1][1:3] == ("logged a device out", voucher.code)
        here.gate.mute = True
        assert "The router does not answer now" in await here.desk.see(path)
        answer = await here.desk.press(f"{path}/log-out", mac=DEVICES[0].mac)
        assert answer.headers["Location"] == f"{path}?said=away"


async def test_a_batch_is_made_once_however_often_its_form_is_sent() -> None:
    async with counter() as here:
        assert "No batch yet" in await here.desk.see(BATCHES)
        path = await here.batch(note="<u>kiosk</u>", key="k1")
        assert here.desk.record[-1][1:] == ("made vouchers", "hour", {"count": 3})
        assert await here.batch(note="<u>kiosk</u>", key="k1") == path
        assert len(await here.kept.vouchers.page(None, None, 99)) == 3
        other = await here.desk.press(f"{BATCHES}/new", plan="hour", count="4", key="k1")
        text = await other.text()
        assert (other.status, "has made a batch already" in text) == (400, True)
        assert 'name="key" value="k1"' not in text
        for shown in (BATCHES, path):
            text = await here.desk.see(shown)
            assert "<u>" not in text
            assert "kiosk" in text
        assert text.count("in stock") == 3


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"count": "9" * 99}, "1 to 500"),
        ({"count": "many"}, "1 to 500"),
        ({"plan": "none"}, "no such plan"),
        ({"note": "x" * 201}, "at most 200"),
    ],
)
async def test_a_batch_that_cannot_be_is_not_made(form: dict[str, str], said: str) -> None:
    async with counter() as here:
        told = {"plan": "hour", "count": "3", "note": "", "key": "k", **form}
        answer = await here.desk.press(f"{BATCHES}/new", **told)
        assert (answer.status, said in await answer.text()) == (400, True)
        assert await here.kept.vouchers.page(None, None, 9) == []
        assert here.desk.record[-1][1] == ("signed in" if "count" in form else "failed")


async def test_printing_is_written_down_and_a_table_has_no_formula() -> None:
    async with counter() as here:
        path = await here.batch(note="=HYPERLINK(1)")
        batch = path.rpartition("/")[2]
        for paper in ("a4", "58mm", "80mm"):
            answer = await here.desk.press(f"{path}/print", paper=paper, language="sw")
            assert (await answer.read()).startswith(b"%PDF")
            assert here.desk.record[-1][1:] == (
                "printed vouchers",
                batch,
                {"on": paper, "count": 3},
            )
        answer = await here.desk.press(f"{path}/print", paper="csv")
        assert "'=HYPERLINK" in await answer.text()
        assert (
            answer.headers["Content-Disposition"] == f'attachment; filename="vouchers-{batch}.csv"'
        )
        assert answer.headers["Cache-Control"] == "no-store"
        written = len(here.desk.record)
        for wrong in ({"paper": "wall"}, {"paper": "a4", "language": "../x"}):
            assert (await here.desk.press(f"{path}/print", **wrong)).status == 400
        assert (await here.desk.press(f"{BATCHES}/none/print", paper="a4")).status == 404
        assert len(here.desk.record) == written


async def test_what_somebody_has_used_is_not_printed_again() -> None:
    async with counter() as here:
        path = await here.batch(count="1")
        (voucher,) = await here.kept.vouchers.page(None, None, 9)
        used = voucher.wanted_by(DEVICES[0], here.clock.now())
        await here.kept.vouchers.change(voucher, used)
        assert "Nothing is left to print" in await here.desk.see(path)
        answer = await here.desk.press(f"{path}/print", paper="a4")
        assert (answer.status, "nothing is left to print" in await answer.text()) == (400, True)


async def test_lost_paper_is_taken_away_in_one_press_and_nothing_that_is_in_use() -> None:
    async with counter() as here:
        path = await here.batch(count="3")
        used, *_ = await here.kept.vouchers.page("batch.number", 2, 9)
        await here.kept.vouchers.change(used, used.wanted_by(DEVICES[0], here.clock.now()))
        assert "Take all 2 away" in await here.desk.see(path)
        answer = await here.desk.press(f"{path}/withdraw")
        assert answer.headers["Location"] == f"{path}?said=withdrawn"
        assert here.desk.record[-1][1:3] == ("withdrew vouchers", path.rpartition("/")[2])
        states = {v.id: str(v.state) for v in await here.kept.vouchers.page(None, None, 9)}
        assert states.pop(used.id) == "paid"
        assert set(states.values()) == {"revoked"}
        assert "The paper is lost" not in await here.desk.see(path)
        assert (await here.desk.press(f"{BATCHES}/none/withdraw")).status == 404


async def test_strangers_see_and_make_nothing() -> None:
    async with counter() as here:
        voucher, path = await here.sold(), await here.batch()
        await here.desk.press("/sign-out")
        one = f"/vouchers/{voucher.id}"
        for page in ("/vouchers", one, BATCHES, path, f"{BATCHES}/new"):
            answer: Any = await here.desk.client.get(page, allow_redirects=False)
            assert answer.status == 303
        for form in (f"{one}/revoke", f"{path}/withdraw", f"{path}/print", f"{BATCHES}/new"):
            assert (await here.desk.client.post(form, data={"key": "k"})).status == 401
        assert await here.latest(voucher) == voucher
