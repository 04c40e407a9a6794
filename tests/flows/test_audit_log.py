"""Who did what: written before it is done, one chain, whoever writes and whatever comes between."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.audit import Broken, Chain, Entry, following
from appliance.domain.errors import Invalid, StoreUnavailable
from appliance.flows.audit import Audit
from appliance.store.port import Document, Store
from appliance.store.records import books
from tests.conftest import STORES, HandClock
from tests.memory_store import MemoryStore


@pytest.fixture(params=[*STORES, "memory"])
def store_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def log_of(store: Store, box: str = "here", clock: HandClock | None = None) -> Audit:
    return Audit(entries=books(store).audit, clock=clock or HandClock(), box=box)


def broken(entries: list[Entry]) -> Broken | None:
    chain = Chain()
    chain.goes_on(reversed(entries))
    assert chain.length == len(entries)
    return chain.broken()


async def all_of(log: Audit) -> list[Entry]:
    """Return every entry, the oldest first."""
    return [entry async for page in log.pages() for entry in page][::-1]


def chain(length: int) -> list[Entry]:
    entries = list[Entry]()
    for number in range(length):
        entries.append(
            following(
                entries[-1] if entries else None,
                box="here",
                at=HandClock().now() + timedelta(seconds=number),
                who="command line (owner)",
                did="extend voucher",
                subject=f"ABC3DEF4G{number % 10}",
                detail={"seconds": number},
            )
        )
    return entries


async def test_of_many_who_write_at_once_each_has_a_place_and_the_chain_holds(
    store: Store,
) -> None:
    boxes = [log_of(store) for _ in range(3)]
    await asyncio.gather(
        *(one.write("owner", "revoke voucher", f"C{n}") for n in range(4) for one in boxes)
    )
    await log_of(store, "there").write("owner", "revoke voucher", "X")
    entries = await all_of(boxes[0])
    assert [entry.place for entry in entries] == list(range(1, 13))
    assert (await boxes[0].verified()).broken() is None
    assert [entry.place for entry in await boxes[0].page(2)] == [12, 11]
    assert [entry.place for entry in await all_of(log_of(store, "there"))] == [1]


async def test_a_clock_that_goes_back_leaves_the_order_as_it_was(store: Store) -> None:
    clock = HandClock()
    log = log_of(store, clock=clock)
    for did in ("first", "second", "third"):
        await log.write("owner", did)
        clock.pass_by(timedelta(days=-9))
    assert [entry.did for entry in await all_of(log)] == ["first", "second", "third"]
    assert (await log.verified()).broken() is None


async def test_nothing_in_it_is_ever_changed_or_removed(store: Store) -> None:
    log = log_of(store)
    entry = await log.write("owner", "revoke voucher", "ABC3DEF4GH")
    with pytest.raises(TypeError):
        await books(store).audit.change(entry, replace(entry, who="nobody"))
    with pytest.raises(TypeError):
        await store.prune("audit", "at", entry.at + timedelta(days=1))
    assert await all_of(log) == [entry]


async def test_a_deed_that_fails_is_written_down_as_failed() -> None:
    log = log_of(MemoryStore())
    with pytest.raises(Invalid):
        async with log.deed("owner", "revoke voucher", "ABC3DEF4GH"):
            raise Invalid("there is no voucher with this code")
    begun, failed = await all_of(log)
    assert (begun.did, begun.subject) == ("revoke voucher", "ABC3DEF4GH")
    assert (failed.did, failed.subject) == ("failed", "ABC3DEF4GH")
    assert failed.detail == {"of": 1, "did": "revoke voucher", "why": "invalid"}


class FullStore(MemoryStore):
    async def insert(self, collection: str, document: Document) -> None:
        raise StoreUnavailable("disk full")


async def test_a_deed_that_cannot_be_written_down_is_not_done() -> None:
    done = list[str]()
    with pytest.raises(StoreUnavailable):
        async with log_of(FullStore()).deed("owner", "revoke voucher", "ABC3DEF4GH"):
            done.append("revoked")
    assert done == []


async def test_no_phone_number_is_in_an_entry_and_a_receipt_or_code_is() -> None:
    log = log_of(MemoryStore())
    for typed in ("0712345678", "+254712345678", "254112345678", "to 712345678, by hand"):
        entry = await log.write("owner", "resolve payment", typed, voucher=typed)
        assert "12345678" not in f"{entry.subject} {entry.detail}"
    for kept in ("UKN7K2M9QX", "ABC3DEF4GH", "6740f1c2a712345678901234", "174379"):
        assert (await log.write("owner", "resolve payment", kept)).subject == kept
    await log.write("owner", "resolve payment", "\ud800\0" * 999)
    assert (await log.verified()).broken() is None


CHANGES: dict[str, Any] = {
    "who": "somebody else",
    "did": "nothing",
    "subject": "ANOTHER",
    "detail": {"seconds": 9999},
    "at": HandClock().now() - timedelta(days=1),
    "box": "there",
    "previous": "0" * 64,
    "hash": "0" * 64,
}


@given(st.integers(1, 12), st.data())
def test_whatever_is_changed_in_a_chain_the_first_broken_link_is_named(
    length: int, data: st.DataObject
) -> None:
    entries = chain(length)
    assert broken(entries) is None
    place = data.draw(st.integers(1, length))
    name = data.draw(st.sampled_from(sorted(CHANGES)))
    changed = replace(entries[place - 1], **{name: CHANGES[name]})
    found = broken([*entries[: place - 1], changed, *entries[place:]])
    assert found is not None
    assert found.place == place
    if place < length:
        gap = broken([*entries[: place - 1], *entries[place:]])
        assert gap == Broken(place, f"is not there: {place + 1} follows {place - 1}")


@pytest.mark.parametrize(
    "phone", ["0712345678", "0712 345 678", "+254 712-345-678", "254712345678"]
)
def test_a_phone_is_not_written_down_however_it_is_written(phone: str) -> None:
    entry = following(
        None,
        box="b",
        at=datetime(2026, 11, 27, tzinfo=UTC),
        who="owner",
        did="paid a voucher",
        subject="6b0947d561766832116f4684",
        detail={"voucher": f"for {phone}!"},
    )
    assert "345" not in str(entry.detail)
    assert entry.subject == "6b0947d561766832116f4684"
