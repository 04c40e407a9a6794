"""How much waits in the spool is told while the database is away: that is when it counts."""

import asyncio
import subprocess
from pathlib import Path

from appliance import settings
from appliance.cli import db
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.store.open import SPOOL_FILE, opened_spool
from tests.flows.mortal_drain import call
from tests.forks import forked
from tests.servers import free_port


async def test_the_spool_is_shown_before_a_database_that_does_not_answer(tmp_path: Path) -> None:
    uri = f"mongodb://127.0.0.1:{free_port()}/"
    written, _ = await asyncio.to_thread(config.write, tmp_path, Ports(), uri)
    loaded = await asyncio.to_thread(settings.load, written)
    assert await asyncio.to_thread(db._spool, loaded) is None
    assert not (tmp_path / SPOOL_FILE).is_file()
    async with opened_spool(uri=uri, data_dir=tmp_path) as spool:
        assert spool is not None
        for number in (1, 2, 3):
            await spool.keep(call(number), None)
        await spool.park(2, "a rule of theirs")
    process = await forked(
        *("appliance", "db", "status", "--config", str(written)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.startswith(b"database_away: ")
    since = "2026-11-23T09:00:00+00:00"
    assert output.decode() == f"spool: 2 waiting since {since}, 1 that the database refuses\n"
