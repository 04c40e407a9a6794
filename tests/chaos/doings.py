"""What customers and the operator do in a step of a schedule."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.chaos.people import PRICES
from tests.chaos.schedule import Step
from tests.chaos.town import Town

Doing = Callable[..., Awaitable[None]]
DOINGS: dict[str, Doing] = {}


def doing(function: Doing) -> Doing:
    DOINGS[function.__name__] = function
    return function


async def do(town: Town, step: Step) -> None:
    args = dict(step.args)
    if (event := args.pop("after", None)) is not None:
        await town.after(event)
        await asyncio.sleep(args.pop("wait", 0.0))
    await DOINGS[step.do](town, **args)


@doing
async def order(town: Town, who: int, plan: str, door: str) -> None:
    await town.people[who].order(plan, door)


@doing
async def answer(town: Town, who: int, how: str) -> None:
    with suppress(TimeoutError):
        await town.people[who].answer(how)


@doing
async def pay_by_hand(town: Town, who: int, to: str, plan: str, *, short: bool) -> None:
    person, account, amount = town.people[who], "HELLO", PRICES[plan] - short
    others = [code for other in town.people for code in other.codes if other is not person]
    match to:
        case "own" | "lower" if person.codes:
            account = person.codes[-1]
            account = account.lower() if to == "lower" else account
            amount = _price(town, account) - short
        case "other" if others:
            account = others[0]
            amount = _price(town, account) - short
        case "word":
            account = "WIFI"
        case _:
            pass
    await person.pay_by_hand(account, amount, till=to == "till" or town.schedule.till)


def _price(town: Town, code: str) -> int:
    """Return what the phone was asked for under this code."""
    pushed = [p for p in town.record.pushes if p["AccountReference"] == code.upper()]
    return int(pushed[0]["Amount"]) if pushed else PRICES["hour"]


@doing
async def type_code(town: Town, who: int, whose: int, *, move: bool) -> None:
    for code in town.people[whose].codes[-1:]:
        await town.people[who].type_code(code, move=move)


@doing
async def already_paid(town: Town, who: int, whose: int) -> None:
    for receipt in town.people[whose].receipts[-1:]:
        await town.people[who].already_paid(receipt, move=False)


@doing
async def visit(town: Town, who: int) -> None:
    await town.people[who].visit()


@doing
async def roam(town: Town, who: int) -> None:
    await town.people[who].roam()
    await town.people[who].visit()


@doing
async def leave(town: Town, who: int) -> None:
    """Be out of the Wi-Fi's reach for a moment."""
    town.router.hotspot.leave(town.people[who].ip)
    town.later(0.7, town.people[who].arrive)


@doing
async def revoke(town: Town, who: int) -> None:
    for code in town.people[who].codes[-1:]:
        town.record.revoked.add(code)  # a command that dies half-way may have done it
        await town.command("vouchers", "revoke", code)


@doing
async def extend(town: Town, who: int) -> None:
    for code in town.people[who].codes[-1:]:
        town.record.extended[code] += 3600
        await town.command("vouchers", "extend", code, "--hours", "1")


@doing
async def resolve(town: Town, who: int) -> None:  # whose money it is, nobody knows
    for state in ("unmatched", "disputed"):
        for waiting in (await town.command("payments", "list", "--state", state) or [])[:1]:
            words = ("payments", "resolve", waiting["id"], "--plan", "hour")
            town.record.given[waiting["id"]] = ""
            given = await town.command(*words)
            if given:
                town.record.given[waiting["id"]] = given["voucherCode"]
