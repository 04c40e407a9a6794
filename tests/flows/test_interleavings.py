"""Any order of callbacks, confirmations, queries, pulls, retries and crashes: the books agree.

A model keeps what really happened at M-Pesa. Whatever is told, lost, doubled or reordered, in the
end every receipt is in exactly one place, and nobody is let in without one.
"""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.story import PRICES, SHORT_CODES, Story

WHO = st.integers(0, 1)
ANY = st.integers(0, 7)
PAYER = st.sampled_from(["masked", "hashed", "local", "nobody", "unreadable"])
NEWS = st.one_of(
    st.tuples(st.just("callback"), ANY),
    st.tuples(st.just("callback"), ANY),
    st.tuples(st.just("confirmation"), ANY, PAYER),
    st.tuples(st.just("confirmation"), ANY, PAYER),
    st.tuples(st.just("forgery"), ANY, st.sampled_from([10, 50])),
    st.tuples(st.just("pull"), st.sampled_from(["whole", "local", "unreadable"])),
    st.tuples(st.just("resolve"), ANY, st.sampled_from(["refunded", "voucher", "plan"])),
)
PLANS = st.sampled_from([*sorted(PRICES), "trial"])
EVENTS = st.one_of(
    st.tuples(st.just("order"), WHO, PLANS, st.sampled_from(["heard", "lost"])),
    st.tuples(st.just("decide"), ANY, st.sampled_from([0, 0, 0, 1032, 1037, 2001])),
    st.tuples(st.just("decide"), ANY, st.just(0), st.sampled_from([0, -3, 40])),
    st.tuples(
        st.just("by_hand"),
        WHO,
        st.sampled_from([10, 50, 7]),
        st.sampled_from(["CODE", "WIFI", "SHOES"]),
    ),
    NEWS,
    NEWS,
    NEWS.map(lambda news: ("ambush", *news)),
    st.tuples(st.just("daraja"), st.sampled_from(["away", "there"])),
    st.tuples(st.just("work")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("wait"), st.sampled_from([1, 30, 300, 4000])),
)
# A purchase that is found paid by a question, its money told of without a payer, and a person.
DECIDED = st.permutations(
    [
        ("decide", 0, 0),
        ("confirmation", 0, "unreadable"),
        ("resolve", 0, "plan"),
        ("wait", 30),
        ("work",),
    ]
).map(lambda news: [("order", 0, "hour", "heard"), *news])
STORIES = st.tuples(st.one_of(st.just([]), DECIDED), st.lists(EVENTS, min_size=8, max_size=32)).map(
    lambda parts: [*parts[0], *parts[1]]
)


@given(st.sampled_from(sorted(SHORT_CODES)), STORIES)
def test_money_and_access_agree_whatever_the_order(
    account: str, events: list[tuple[Any, ...]]
) -> None:
    async def tell() -> None:
        story = Story(account)
        await story.open()
        for name, *arguments in events:
            await getattr(story, name)(*arguments)
        await story.finish()
        story.check()

    asyncio.run(tell())
