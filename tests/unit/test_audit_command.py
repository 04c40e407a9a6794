"""`appliance audit`, and what the commands that change something leave in it."""

import asyncio
import csv
import json
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

from appliance.cli import cli
from appliance.domain import ids
from appliance.domain.errors import StoreUnavailable
from appliance.domain.plans import Plan
from appliance.domain.vouchers import Voucher, drawn_up
from appliance.flows.amend import Amend
from appliance.flows.audit import Audit
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.store.open import opened
from appliance.store.records import books
from tests.mortal import dies

PLAN = Plan(id="hour", name="One hour", price=10, duration=timedelta(hours=1))


@pytest.fixture
def said(tmp_path: Path) -> Callable[..., Result]:
    settings, _ = config.write(tmp_path, Ports.at(0), None)
    return lambda *words: CliRunner().invoke(cli, [*words, "--config", str(settings)])


@pytest.fixture
def voucher(tmp_path: Path) -> Voucher:
    now, paid_by = datetime.now(UTC).replace(microsecond=0), ids.new_id()
    sold = drawn_up(PLAN, router_id="router", payment_id=paid_by, now=now).paid(now, paid_by)

    async def store() -> Voucher:
        async with opened(uri=None, database="", data_dir=tmp_path) as opened_store:
            return await books(opened_store).vouchers.insert(sold)

    return asyncio.run(store())


def test_what_a_command_is_about_to_change_is_written_down_and_that_it_failed(
    said: Callable[..., Result], voucher: Voucher
) -> None:
    assert said("vouchers", "revoke", voucher.code.lower()).exit_code == 0
    assert said("vouchers", "extend", "NONE", "--hours", "2").exit_code == 1
    assert said("payments", "resolve", "0712345678", "--refunded", "to 0712345678").exit_code == 1
    assert said("debts", "give-up", voucher.id).exit_code == 1
    assert said("debts", "retry", "nothing").exit_code == 1
    listed = json.loads(said("audit", "list", "--json").stdout)[::-1]
    assert [one["did"] for one in listed if one["did"] != "failed"] == [
        "revoke voucher",
        "extend voucher",
        "resolve payment",
        "give up debt",
        "retry debt",
    ]
    assert listed[0]["subject"] == voucher.code
    assert listed[0]["who"].startswith("command line (")
    assert listed[1]["detail"] == {"seconds": 7200, "megabytes": 0}
    assert [one["detail"]["of"] for one in listed if one["did"] == "failed"] == [2, 4, 6, 8]
    shown = said("audit", "list").stdout
    assert voucher.code in shown
    assert "12345678" not in shown


def test_an_export_holds_every_entry_and_no_formula(
    said: Callable[..., Result], tmp_path: Path
) -> None:
    for code in ("=CODE", "OTHER"):
        assert said("vouchers", "revoke", code).exit_code == 1
    listed = json.loads(said("audit", "list", "--json").stdout)
    assert said("audit", "export", str(tmp_path / "log.jsonl")).exit_code == 0
    exported = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in exported] == listed
    assert said("audit", "export", str(tmp_path / "log.csv")).exit_code == 0
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["hash"] for row in rows] == [one["hash"] for one in listed]
    assert rows[-1]["subject"] == "'=CODE"
    assert said("audit", "export", str(tmp_path / "log.txt")).exit_code == 2


def test_an_export_that_breaks_off_leaves_the_earlier_one(
    said: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "log.csv"
    assert said("vouchers", "revoke", "CODE").exit_code == 1
    assert said("audit", "export", str(file)).exit_code == 0
    before = file.read_bytes()
    with patch.object(Audit, "pages", side_effect=StoreUnavailable("away")):
        assert said("audit", "export", str(file)).exit_code == 1
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.glob("*log.csv*")] == ["log.csv"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_deed_whose_process_dies_was_written_down_and_the_chain_holds(
    said: Callable[..., Result], voucher: Voucher
) -> None:
    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def deed() -> None:
        with patch.object(Amend, "revoke", die):
            said("vouchers", "revoke", voucher.code)

    assert dies(deed)
    (entry,) = json.loads(said("audit", "list", "--json").stdout)
    assert (entry["did"], entry["subject"]) == ("revoke voucher", voucher.code)
    assert said("audit", "verify").exit_code == 0
    assert said("vouchers", "revoke", voucher.code).exit_code == 0  # it can be done after all
    assert said("audit", "verify").stdout.startswith("2 entries")


def test_an_entry_that_was_forged_in_the_database_is_named(
    said: Callable[..., Result], tmp_path: Path
) -> None:
    for code in ("CODE", "OTHER"):
        assert said("vouchers", "revoke", code).exit_code == 1
    (*_, last) = json.loads(said("audit", "list", "--json").stdout)[::-1]
    verdict = json.loads(said("audit", "verify", "--json").stdout)
    assert verdict == {"entries": 4, "head": last["hash"], "broken": None}
    with closing(sqlite3.connect(tmp_path / "appliance.sqlite3")) as database, database:
        forged = "UPDATE audit SET doc = replace(doc, ?, 'somebody') WHERE place = 2"
        database.execute(forged, (last["who"],))
    found = said("audit", "verify")
    assert found.exit_code == 1
    assert "entry 2 is not what was written" in found.stderr
