"""The bare limit, in a process of its own: one acknowledged write, then the router's round trips.

No decision is taken and nothing is read back from the database: this is what the disk and the
router cost whoever lets a paid device in, with the same driver, store and number of connections.
"""

import asyncio
import json
import sys
import time
from datetime import timedelta
from pathlib import Path

from appliance.domain import ids
from appliance.domain.devices import Device, HotspotUser
from appliance.router.api import RouterApi
from appliance.router.pool import Address, Pool
from appliance.store.open import opened
from appliance.store.port import Store


async def one(store: Store, router: RouterApi, mac: str, ip: str) -> float:
    """Return the seconds of one write and one device let in."""
    began = time.perf_counter()
    code = ids.new_voucher_code()
    await store.insert("webhook_logs", {"_id": ids.new_id(), "rawBody": "x" * 600})
    user = HotspotUser(
        name=code,
        profile="appliance-1x-2M_5M.",
        limit_uptime=timedelta(hours=1),
        rate_limit="2M/5M",
    )
    _, there = await asyncio.gather(router.ensure_user(user), router.sessions(mac=mac))
    assert there == []
    await router.login(code, Device(mac, ip))
    assert await router.sessions(mac=mac)
    return time.perf_counter() - began


async def main() -> None:
    """Let every device named on standard input in, all at once; print each one's seconds."""
    asked = json.load(sys.stdin)
    pool = Pool(
        Address(host="127.0.0.1", port=asked["api_port"], username="appliance", password="sandbox")
    )
    router = RouterApi(pool)
    await router.host(mac="00:00:00:00:00:00")
    folder = Path(asked["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    async with opened(uri=asked["mongodb"], database="bare", data_dir=folder) as store:
        await store.ping()
        rounds = [
            await asyncio.gather(*(one(store, router, mac, ip) for ip, mac in batch))
            for batch in asked["batches"]
        ]
    await pool.close()
    print(json.dumps([seconds for batch in rounds for seconds in batch]))


asyncio.run(main())
