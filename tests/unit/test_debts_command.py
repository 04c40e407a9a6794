"""`appliance debts`, as an operator types it."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli import cli
from appliance.domain import ids
from appliance.domain.debts import Kind, Owed
from appliance.domain.errors import StoreUnavailable
from appliance.domain.records import WebhookLog
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.store.open import SPOOL_FILE, opened, opened_spool
from appliance.store.records import books
from appliance.store.seed import seed
from appliance.store.spool import FileSpool

BODY = '{"MSISDN": "254712345678"}'


def parked() -> WebhookLog:
    now = datetime.now(UTC)
    owed = Owed(Kind.SETTLE, now + timedelta(hours=1), attempts=2, parked_at=now)
    owed = replace(owed, last_error="unreadable payments 7")
    return WebhookLog(
        id=ids.new_id(), source="x", type="x", timestamp=now, raw_body=BODY, owed=owed
    )


def test_a_parked_call_is_listed_without_its_body_tried_again_and_given_up(tmp_path: Path) -> None:
    settings, _ = config.write(tmp_path, Ports.at(0), None)
    webhook = parked()

    async def store() -> None:
        async with opened(uri=None, database="", data_dir=tmp_path) as opened_store:
            await books(opened_store).webhooks.insert(webhook)

    asyncio.run(store())

    def said(*words: str) -> Result:
        return CliRunner().invoke(cli, ["debts", *words, "--config", str(settings)])

    (listed,) = json.loads(said("list", "--parked", "--json").stdout)
    assert listed["id"] == webhook.id
    assert (listed["kind"], listed["state"], listed["attempts"]) == ("settle", "parked", 2)
    assert listed["lastError"] == "unreadable payments 7"
    shown = said("list").stdout
    assert webhook.id in shown
    assert "2547" not in shown
    assert said("retry", webhook.id).exit_code == 0
    (again,) = json.loads(said("list", "--json").stdout)
    assert again["nextTry"] < listed["nextTry"]
    assert said("give-up", webhook.id).exit_code == 0
    assert json.loads(said("list", "--json").stdout) == []
    assert said("give-up", webhook.id).exit_code == 1


def waiting(spool: FileSpool) -> bool:
    return spool.waiting


def test_a_call_that_the_database_refuses_is_listed_and_tried_again_by_the_running_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = "mongodb://127.0.0.1:1/"
    settings, _ = config.write(tmp_path, Ports.at(0), uri)

    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr("appliance.cli.debts._asked", away)

    def said(*words: str) -> Result:
        return CliRunner().invoke(cli, ["debts", *words, "--config", str(settings)])

    said("list")
    assert not (tmp_path / SPOOL_FILE).exists()

    async def box() -> None:
        async with opened_spool(uri=uri, data_dir=tmp_path) as spool:
            assert spool is not None
            for place in (1, 2):
                await spool.keep(parked(), None)
                await spool.park(place, "Unstorable: webhook_logs: code 121 of 254712345678")
            assert await spool.oldest(9) == []
            shown = (await asyncio.to_thread(said, "list", "--parked")).output.splitlines()
            assert [line.split()[:4] for line in shown] == [
                [f"spool-{place}", "spool", "store", "parked"] for place in (1, 2)
            ]
            assert "code 121" in shown[0]
            assert "2547123" not in "".join(shown)
            assert (await asyncio.to_thread(said, "retry", "spool-2")).exit_code == 0
            assert not waiting(spool)
            await spool.backlog()  # as it is measured all the time
            assert waiting(spool)
            assert [call.place for call in await spool.oldest(9)] == [2]
            assert (await asyncio.to_thread(said, "retry", "spool-2")).exit_code == 1

    asyncio.run(box())


def test_a_document_that_cannot_be_read_is_named_by_the_status(tmp_path: Path) -> None:
    settings, seeds = config.write(tmp_path, Ports.at(0), None)

    async def store() -> str:
        async with opened(uri=None, database="", data_dir=tmp_path) as opened_store:
            await seed(opened_store, seeds)
            (plan, *_) = await books(opened_store).plans.page("active", value=True, limit=5)
            await opened_store.change("plans", plan.id, {"durationSeconds": "an hour"}, {})
            return plan.id

    plan_id = asyncio.run(store())
    said = CliRunner().invoke(cli, ["db", "status", "--json", "--config", str(settings)])
    assert json.loads(said.stdout)["unreadable"] == {"plans": [plan_id]}
    said = CliRunner().invoke(cli, ["db", "status", "--config", str(settings)])
    assert f"plans: this version cannot read {plan_id}" in said.stdout
