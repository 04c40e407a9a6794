"""The operator at the keyboard: real commands, in processes of their own."""

import json
import os
import subprocess
from typing import Any

from appliance.store.records import books
from tests.forks import forked
from tests.world import World


async def command(world: World, *words: str, code: int = 0, **environment: str) -> str:
    """Run `appliance …` and return what it prints; everything it says is kept for secrets."""
    process = await forked(
        *("appliance", *words, "--config", str(world.settings)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        environment={**os.environ, "APPLIANCE_MONGODB__DATABASE": world.database, **environment},
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
