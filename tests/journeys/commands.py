"""The operator at the keyboard: real commands, in processes of their own."""

import asyncio
import json
import os
import sys
from typing import Any

from appliance.store.records import books
from tests.world import World


async def command(world: World, *words: str, code: int = 0, **environment: str) -> str:
    """Run `appliance …` and return what it prints; everything it says is kept for secrets."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "appliance", *words, "--config", str(world.settings)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "APPLIANCE_MONGODB__DATABASE": world.database, **environment},
    )
    output, errors = await process.communicate()
    assert process.returncode == code, errors.decode()
    for secret in await secrets_of(world):
        assert secret not in (output + errors).decode()
    return (output if code == 0 else errors).decode()


async def secrets_of(world: World) -> list[str]:
    async with world.store() as store:
        paybills = await books(store).paybills.page("status", "active", 10)
    kept = [paybill.credentials for paybill in paybills]
    found = [s for k in kept for s in (*k.secrets, k.security_credential, k.access_token)]
    return [secret for secret in found if secret]


async def as_json(world: World, *words: str, **environment: Any) -> Any:
    return json.loads(await command(world, *words, "--json", **environment))
