"""How much waits in the spool is told while the database is away: that is when it counts."""

import asyncio
import subprocess
import sys
from pathlib import Path

from appliance import settings
from appliance.cli import db
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.store.open import SPOOL_FILE, opened_spool
from tests.flows.mortal_drain import call
from tests.servers import free_port


def test_the_spool_is_shown_before_a_database_that_does_not_answer(tmp_path: Path) -> None:
    uri = f"mongodb://127.0.0.1:{free_port()}/"
    written, _ = config.write(tmp_path, Ports(), uri)
    assert db._spool(settings.load(written)) is None
    assert not (tmp_path / SPOOL_FILE).exists()

    async def keep() -> None:
        async with opened_spool(uri=uri, data_dir=tmp_path) as spool:
            assert spool is not None
            for number in (1, 2, 3):
                await spool.keep(call(number), None)
            await spool.park(2, "a rule of theirs")

    asyncio.run(keep())
    since = "2026-11-23T09:00:00+00:00"
    assert said(written) == f"spool: 2 waiting since {since}, 1 that the database refuses\n"


def said(written: Path) -> str:
    words = [sys.executable, "-m", "appliance", "db", "status", "--config", str(written)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("database_away: ")
    return ran.stdout
