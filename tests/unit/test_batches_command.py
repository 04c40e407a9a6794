"""`appliance vouchers create`, `print` and `batches`, as an operator types them."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from appliance.cli import cli
from appliance.flows.batches import Batches
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.store.open import opened
from appliance.store.seed import seed


@dataclass
class Desk:
    """An operator with a database that has plans."""

    folder: Path
    settings: Path

    def said(self, *words: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli, ["vouchers", *words, "--config", str(self.settings)])
        assert result.exit_code == code, result.output
        return result.output

    def listed(self, *words: str) -> Any:
        return json.loads(self.said(*words, "--json"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    settings, seeds = config.write(tmp_path, Ports.at(0), None)

    async def fill() -> None:
        async with opened(uri=None, database="", data_dir=tmp_path) as store:
            await seed(store, seeds)

    asyncio.run(fill())
    return Desk(tmp_path, settings)


def test_an_operator_makes_vouchers_and_finds_them_again(desk: Desk) -> None:
    paper, table = desk.folder / "sheet.pdf", desk.folder / "sheet.csv"
    asked = ("create", "--plan", "hour", "--count", "3", "--note", "-kiosk", "--key", "k")
    made = desk.listed(*asked, "--pdf", str(paper), "--csv", str(table))
    codes = [one["code"] for one in made["vouchers"]]
    assert (made["count"], made["note"], len(set(codes))) == (3, "-kiosk", 3)
    assert paper.read_bytes().startswith(b"%PDF")
    assert paper.stat().st_mode & 0o077 == 0
    assert all(code in table.read_text("utf-8") for code in codes)
    assert desk.listed(*asked) == made
    assert [one["code"] for one in desk.listed("list", "--batch", made["batch"])] == codes
    assert desk.listed("list", "--batch", made["batch"], "--state", "active") == []
    assert desk.listed("batches") == [{name: made[name] for name in made if name != "vouchers"}]
    assert desk.said("print", made["batch"], "--paper", "58mm", "--pdf", str(paper)) == ""


def test_lost_paper_is_taken_away_when_the_router_says_what_is_in_use(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = desk.listed("create", "--plan", "hour", "--count", "3")
    batch, codes = made["batch"], [one["code"] for one in made["vouchers"]]
    taken = ("list", "--batch", batch, "--state", "revoked")
    assert "there is no batch x" in desk.said("withdraw", "x", "--yes", code=1)
    assert "Take 3 away?" in desk.said("withdraw", batch, code=1)  # nobody said yes
    desk.said("withdraw", batch, "--yes", code=1)  # nobody knows what is in use
    assert desk.listed(*taken) == []

    async def in_use(_: Batches) -> set[str]:
        return {codes[1]}

    monkeypatch.setattr(Batches, "_in_use", in_use)
    assert desk.said("withdraw", batch, "--yes") == "2 taken away\n"
    assert [one["code"] for one in desk.listed(*taken)] == [codes[0], codes[2]]


def test_nothing_is_made_that_could_not_be_printed(desk: Desk) -> None:
    nowhere = ("--pdf", str(desk.folder / "no" / "x.pdf"))
    asked = ("create", "--plan", "hour", "--count", "3")
    assert "cannot be written" in desk.said(*asked, *nowhere, code=2)
    assert "say where to" in desk.said("print", "x", code=2)
    assert "there is no batch x" in desk.said("print", "x", "--csv", str(desk.folder / "x"), code=1)
    assert desk.listed("batches") == []
