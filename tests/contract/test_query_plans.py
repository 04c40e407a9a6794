"""Nothing that the product asks of either database is looked for row by row."""

import asyncio
from pathlib import Path

from tests.bench.plans import of_mongodb, of_sqlite, scans

# What a purchase asks, from the plan picked to the device let in.
PURCHASE = {
    "payments": (
        "get _id",
        "get mpesaReceiptNumber",
        "get callbackHash",
        "get openPhone",
        "page status",
        "due",
        "change",
    ),
    "vouchers": ("get _id", "get code", "get token", "page device.mac", "due", "change"),
    "stk_initiations": ("get _id", "get CheckoutRequestID", "page AccountReference", "change"),
    "webhook_logs": ("get _id", "due", "change"),
    "paybills": (
        "get _id",
        "get paybillInfo.number",
        "page status",
        "page paybillInfo.storeNumber",
        "change",
    ),
}
# Many documents share these values: sorting them would cost more with every sale.
NEVER_SORTED = (
    "payments page",
    "payments page on",
    "payments page status",
    "payments page status on",
    "payments page phoneNumber on",
    "payments due",
    "vouchers page",
    "vouchers page device.mac",
    "vouchers page plan.id",
    "vouchers due",
    "stk_initiations page status",
    "stk_initiations page",
    "webhook_logs page source",
    "webhook_logs page",
    "webhook_logs due",
    "plans page active",
    "audit page box",
)


def test_every_question_is_answered_through_an_index(
    store_kind: str, mongodb_uri: str | None, tmp_path: Path
) -> None:
    plans = asyncio.run(of_sqlite(tmp_path) if mongodb_uri is None else of_mongodb(mongodb_uri))
    asked = {f"{name} {question}" for name, every in PURCHASE.items() for question in every}
    assert asked <= plans.keys()
    for question, plan in plans.items():
        assert plan, question
        assert not scans(question, plan), (question, plan)
    if store_kind == "secantus":
        return  # it sorts whatever it found
    for question in NEVER_SORTED:
        sorts = [step for step in plans[question] if _sorts(step)]
        assert not sorts, (question, plans[question])


def _sorts(step: str) -> bool:
    """Say whether it sorts more than what is of one moment."""
    of_one_moment = step.endswith(("RIGHT PART OF ORDER BY", "LAST TERM OF ORDER BY"))
    return step == "SORT" or ("TEMP B-TREE" in step and not of_one_moment)
