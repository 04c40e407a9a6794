"""A seed file is held to what the console's forms are held to."""

from pathlib import Path

import pytest

from appliance.store.seed import WrongSeed, seed
from tests.memory_store import MemoryStore

PLAN = {"id": '"hour"', "name": '"One hour"', "price": "10", "durationSeconds": "3600"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"id": '""'}, "needs an id"),
        ({"name": '""'}, "its name"),
        ({"price": "0"}, "price in whole shillings"),
        ({"price": "9.5"}, "price in whole shillings"),
        ({"durationSeconds": "0"}, "1 second to 366 days"),
        ({"dataLimitBytes": "-1"}, "data in bytes"),
        ({"devices": "0"}, "number of devices"),
        ({"rateLimit": '"fast"'}, "as RouterOS writes it"),
        ({"rateLimit": '"2M/5M\\n"'}, "as RouterOS writes it"),
        ({"accountWord": '"MY WORD"'}, "no spaces"),
    ],
)
async def test_a_plan_that_nobody_could_be_let_in_with_is_not_seeded(
    tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    file, store = tmp_path / "seed.toml", MemoryStore()
    lines = [f"{name} = {value}" for name, value in {**PLAN, **wrong}.items()]
    file.write_text("\n".join(["[[plans]]", *lines]), encoding="utf-8")
    with pytest.raises(WrongSeed, match=said):
        await seed(store, file)
    assert store.collections["plans"] == {}
