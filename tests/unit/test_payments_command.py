"""`appliance payments`, as an operator types it."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner, Result

from appliance.cli import cli
from appliance.domain import ids
from appliance.domain.payments import Payment, State
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.store.open import opened
from appliance.store.records import books
from appliance.store.seed import seed

NUMBER = "174379"


def payment(receipt: str | None, state: State) -> Payment:
    now = datetime.now(UTC)
    asked_for = receipt is None
    return Payment(
        id=ids.new_id(),
        token=ids.new_token(),
        callback_hash=ids.new_token() if asked_for else None,
        amount=50,
        phone="254712345001" if asked_for else "",
        paybill_number=NUMBER,
        router_id="router",
        created_at=now,
        paid_at=now,
        state=state,
        receipt=receipt,
    )


def test_money_that_may_have_bought_time_already_gives_it_again_only_where_that_is_said(
    tmp_path: Path,
) -> None:
    settings, seeds = config.write(tmp_path, Ports.at(0), None)
    money = payment("UKN7K2M9QX", State.UNMATCHED)

    async def store() -> None:
        async with opened(uri=None, database="", data_dir=tmp_path) as opened_store:
            await seed(opened_store, seeds)
            kept = books(opened_store)
            await kept.payments.insert(payment(None, State.PAID))
            await kept.payments.insert(money)

    asyncio.run(store())

    def said(*words: str) -> Result:
        words = ("payments", "resolve", money.id, *words, "--config", str(settings))
        return CliRunner().invoke(cli, words)

    refused = said("--plan", "day")
    assert (refused.exit_code, "--again" in str(refused.exception)) == (1, True)
    assert said("--refunded", "sent back", "--again").exit_code == 2
    given = json.loads(said("--plan", "day", "--again", "--json").stdout)
    assert given["state"] == "paid"
    assert given["voucherCode"]
