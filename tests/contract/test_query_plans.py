"""Nothing that the product asks of SQLite is looked for row by row."""

import asyncio
from pathlib import Path

from tests.bench.plans import of_sqlite

# Many documents share these values: sorting them would cost more with every sale.
NEVER_SORTED = (
    "payments page status",
    "payments page phoneNumber",
    "payments due",
    "vouchers page device.mac",
    "vouchers page status",
    "vouchers due",
    "webhook_logs due",
    "plans page active",
)


def test_every_question_is_answered_through_an_index(tmp_path: Path) -> None:
    plans = asyncio.run(of_sqlite(tmp_path))
    assert len(plans) >= 40
    for question, plan in plans.items():
        assert plan, question
        assert all("SCAN" not in step for step in plan), (question, plan)
    for question in NEVER_SORTED:
        assert not [step for step in plans[question] if "TEMP B-TREE" in step], question
