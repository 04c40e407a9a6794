"""What the box has written down: the database, the spool, what is owed and what waits."""

import asyncio
from collections import Counter
from datetime import datetime

from appliance import app
from appliance.cli.doctor.checks import Finding, Skipped, fail, warn, well
from appliance.cli.doctor.patient import Patient
from appliance.domain.debts import LONGEST_PUT_OFF
from appliance.domain.errors import StoreUnavailable
from appliance.domain.payments import NEEDS_A_PERSON, State
from appliance.domain.vouchers import USABLE
from appliance.flows.unsettled import unsettled
from appliance.store.debts import MOST, Debts
from appliance.store.migrations import Migrations
from appliance.store.open import SPOOL_FILE
from appliance.store.records import books
from appliance.store.schema import COLLECTIONS

_SLOW_SECONDS = 0.5
_MOST = 500
_GIVEN = "gone back after it was given"


async def database(about: Patient) -> list[Finding]:
    """See whether the database answers, and how fast."""
    shared = about.loaded.mongodb.uri is not None
    try:
        await about.store().ping()
    except StoreUnavailable as error:
        mend = (
            "see that mongodb.uri is right and that the server runs; calls are kept here meanwhile"
            if shared
            else "appliance db init where it is new; else df -h, and appliance restore FILE"
        )
        return fail(f"the database does not answer: {error}", mend)
    seconds = about.answered_in
    said = f"{'the shared MongoDB' if shared else 'SQLite'} answers in {seconds * 1000:.0f} ms"
    if seconds > _SLOW_SECONDS:
        return warn(f"{said}, which is slow", "see what else works on that disk or network: iotop")
    return well(said)


async def indexes(about: Patient) -> list[Finding]:
    """See whether every declared index is there: unique ones keep a receipt from counting twice."""
    about.books()
    shelves = {name: await about.store().inspect(name) for name in COLLECTIONS}
    lacking = [name for name, shelf in shelves.items() if shelf.missing]
    if lacking:
        return fail(f"indexes are missing in {', '.join(lacking)}", "appliance db init")
    return well(f"every index of {len(shelves)} collections is there")


async def migrations(about: Patient) -> list[Finding]:
    """See whether documents of earlier versions wait to be brought up to date."""
    about.books()
    cipher = await app.open_cipher(about.loaded)
    found = await Migrations(about.store(), cipher, about.clock).pending()
    pending = Counter(change.migration for change in found)
    if pending:
        named = ", ".join(f"{name} ({count})" for name, count in pending.items())
        return warn(f"migrations are pending: {named}", "appliance db migrate")
    return well("no migration is pending")


async def spool(about: Patient) -> list[Finding]:
    """See whether calls from Safaricom wait on this box for the shared database."""
    if about.loaded.mongodb.uri is None:
        raise Skipped("the database is on this box: no call has to wait for it")
    if not await asyncio.to_thread((about.loaded.appliance.data_dir / SPOOL_FILE).exists):
        return well("no call ever had to wait for the database")
    async with app.open_spool(about.loaded) as kept:
        backlog = None if kept is None else await kept.backlog()
    if backlog is None or not backlog.waiting + backlog.parked:
        return well("no call waits for the database")
    if backlog.parked:
        return fail(
            f"{backlog.parked} calls are kept here that the database refuses",
            "appliance debts list --parked says why; mended, appliance debts retry ID",
        )
    return warn(
        f"{backlog.waiting} calls wait for the database",
        "they go in by themselves once it answers: see the line on the database",
    )


async def debts(about: Patient) -> list[Finding]:
    """See whether anything that the box owes waits for a person, or has waited long."""
    about.books()
    found = await Debts(about.store(), about.loaded.router.id).outstanding(about.clock.now())
    parked = [debt for debt in found if debt.parked_at is not None]
    if parked:
        return fail(
            f"{len(parked)} debts cannot be paid without a person",
            "appliance debts list --parked, then appliance debts retry ID or give-up ID",
        )
    if found:
        return warn(
            f"{len(found)} debts are tried again by themselves; the first says: "
            f"{found[0].last_error or 'not tried yet'}",
            "appliance debts list",
        )
    return well("nothing that is owed waits")


async def moved(about: Patient) -> list[Finding]:
    """See whether a code that moved here may be in use at the hotspot that it left as well."""
    kept, here = about.books().vouchers, about.loaded.router.id
    listed = [v for state in USABLE for v in await kept.page("status", state.value, _MOST)]
    left = [
        voucher.moved_from
        for voucher in listed
        if voucher.router_id == here and voucher.moved_from and voucher.left_at is None
    ]
    if left:
        return warn(
            f"{len(left)} codes that moved here can be used at {', '.join(sorted(set(left)))} too",
            "its box takes them off within minutes, and counts what was used there: see that it "
            "runs and reaches its router",
        )
    return well("no code that moved here is good anywhere else")


async def homes(about: Patient) -> list[Finding]:
    """See whether a hotspot that no box is owes something for its vouchers: nobody does it."""
    about.books()
    kept = books(about.store())  # everybody's: the patient's own are those of its router
    ours, late = about.loaded.router.id, about.clock.now() - LONGEST_PUT_OFF
    theirs: dict[str, list[datetime]] = {}
    for voucher in await kept.vouchers.owing(MOST):
        if voucher.owed is not None and voucher.router_id != ours:
            theirs.setdefault(voucher.router_id, []).append(voucher.owed.at)
    found = list[Finding]()
    for router, owed in sorted(theirs.items()):
        shared = about.loaded.mongodb.uri is not None
        if shared and min(owed) > late and await kept.routers.get(router):
            continue
        found += warn(
            f"{len(owed)} vouchers belong to the router {router}, which no box serves: nobody "
            "lets their devices in or ends them",
            f'if this box was called so: router.id = "{router}" again in {about.file}, restart; '
            "if another is: start it, and name it in the seed under [[routers]]",
        )
    return found or well("every voucher that is owed something belongs to a router with a box")


async def people(about: Patient) -> list[Finding]:
    """See whether money waits for a person to say whose it is, or whether it went back."""
    found = await unsettled(about.books().payments, _MOST)
    count = Counter(_GIVEN if one.state is State.PAID else str(one.state) for one in found)
    waiting = dict(sorted(count.items()))
    if waiting:
        named = ", ".join(f"{many} {state}" for state, many in waiting.items())
        listed = [s for s in sorted(NEEDS_A_PERSON) if s in waiting]
        ways = [f"appliance payments list --state {state}" for state in listed]
        ways += ["then appliance payments resolve ID"] if listed else []
        return warn(
            f"money waits for a person: {named}",
            "; ".join([*ways, "the console shows all of it under Payments, Needs a person"]),
        )
    return well("no money waits for a person")
