"""The way in, for real: nginx, OpenSSH and the box's own command, cut and mended under way."""

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from appliance.sandbox.config import table
from tests.forks import forked
from tests.journeys.commands import command
from tests.journeys.test_books import PAYBILL, allow_pull
from tests.vps import HEADER, NGINX, Vps
from tests.world import PATIENCE, Customer, World

pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
    pytest.mark.parametrize("store_kind", ["sqlite"]),
]


@pytest.fixture
async def vps(
    still_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Vps]:
    """A server that is set up and running; the box's door is a socket, and no tunnel is up yet."""
    server = await asyncio.to_thread(Vps, tmp_path / "vps")
    run = await asyncio.to_thread(tempfile.mkdtemp)  # a socket's path has to be short
    await asyncio.to_thread(_point, still_world.settings, server, f"unix:{run}/hooks.sock")
    await asyncio.to_thread(server.set_up, still_world.settings)
    trusting = await asyncio.to_thread(ssl.create_default_context, cafile=server.certificate)
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", trusting)  # Safaricom's
    try:
        await server.open()
        yield server
    finally:
        await server.close()
        await asyncio.to_thread(shutil.rmtree, run)


def _point(settings: Path, server: Vps, listen: str) -> None:
    tables = tomllib.loads(settings.read_text())
    tables["webhooks"] |= {"public_url": server.url, "client_ip_header": HEADER, "listen": listen}
    tables["tunnel"] = server.tunnel
    settings.write_text("\n".join(table(f"[{name}]", table_) for name, table_ in tables.items()))


async def tried(world: World, vps: Vps, code: int = 0) -> dict[str, Any]:
    words = ("tunnel", "test", "--json")
    config = ("--config", str(world.settings))
    process = await forked(
        *("appliance", *words, *config),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        environment={**os.environ, "SSL_CERT_FILE": str(vps.certificate)},
    )
    output, errors = await process.communicate()
    assert process.returncode == code, errors.decode()
    secret = tomllib.loads(await asyncio.to_thread(world.settings.read_text))["webhooks"]
    assert secret["path_secret"] not in (output + errors).decode()
    found: dict[str, Any] = json.loads(output)
    return found


async def test_a_tunnel_that_is_cut_and_mended_under_customers_loses_nothing(
    still_world: World, vps: Vps
) -> None:
    world, ledger = still_world, still_world.near.daraja.ledger
    await allow_pull(world)
    await world.start()
    assert (await tried(world, vps, code=1))["problem"] == "tunnel_down"
    await vps.tunnel_up(world.settings)
    await command(world, "c2b", "register")
    first, second, third = everybody = [world.customer(number) for number in (5, 6, 7)]
    await asyncio.gather(*(customer.arrive() for customer in everybody))
    await pays(first, await first.buy())
    waiting = await third.buy()

    assert await vps.cut() == 255, "the program ends with its line, for systemd to begin again"
    by_hand = await world.near.daraja.pay_by_hand("254712345077", PAYBILL.short_code, 50, "WIFI")
    await pays(second, await second.buy())

    await vps.start_ssh()
    await vps.tunnel_up(world.settings)
    await pays(third, waiting)
    assert [callback.status for callback in ledger.callbacks] == [200, 502, 200]

    await world.stop()
    await world.start()
    assert by_hand in ledger.payments
    await all_is_booked(world)
    assert [world.logins(customer) for customer in everybody] == [1, 1, 1]
    await the_servers_logs_hold_no_secret(vps)


async def pays(customer: Customer, bought: dict[str, Any]) -> None:
    """Approve the prompt and be online; return when Safaricom has tried to call back."""
    ledger = customer.world.near.daraja.ledger
    before = len(ledger.callbacks)
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    await ledger.wait_for(lambda ledger: len(ledger.callbacks) > before, timeout=PATIENCE)


async def the_servers_logs_hold_no_secret(vps: Vps) -> None:
    files = await asyncio.to_thread(_logs, vps)
    logs = "".join([await asyncio.to_thread(file.read_text) for file in files])
    assert "POST 200" in logs
    assert "POST 502" in logs
    assert "hooks" not in logs


async def all_is_booked(world: World) -> None:
    """Return when every shilling that left a phone is in our books."""
    moved = {payment.receipt for payment in world.near.daraja.ledger.payments}
    assert len(moved) == 4
    async with asyncio.timeout(PATIENCE):
        while {payment.receipt for payment in await world.payments_in("paid")} != moved:
            await asyncio.sleep(0.1)
    heard = await world.webhooks_from("mpesa_stk_callback")
    assert [webhook.remote_ip for webhook in heard] == ["127.0.0.1"] * 2


def _logs(vps: Vps) -> list[Path]:
    return list(vps.folder.glob("*.log"))


async def test_the_servers_nginx_lets_only_callbacks_through(still_world: World, vps: Vps) -> None:
    await still_world.start()
    await vps.tunnel_up(still_world.settings)
    found = await tried(still_world, vps)
    assert (found["ok"], found["warning"]) == (True, None)
    assert found["address"] == "127.0.0.1", "nginx's word, not the caller's"
    assert 0 < found["roundTripMs"] < 15_000
    trusted = await asyncio.to_thread(ssl.create_default_context, cafile=vps.certificate)
    text = await asyncio.to_thread(still_world.settings.read_text)
    secret = tomllib.loads(text)["webhooks"]["path_secret"]
    validation = f"/hooks/{secret}/c2b/validation"
    async with httpx.AsyncClient(base_url=vps.url, verify=trusted) as http:
        heard = await http.post(validation, json={})
        assert heard.json()["ResultDesc"] in {"Accepted", "Rejected"}
        assert (await http.post(validation, content=b"x" * 70_000)).status_code == 413
        for path in ("/", "/healthz", "/hooks/../healthz", "/api/webhooks/mpesa", "/hooks"):
            assert (await http.post(path)).status_code == 404


async def test_the_boxs_key_opens_its_port_and_nothing_else(still_world: World, vps: Vps) -> None:
    status, output = await vps.as_box(command="id")
    assert status != 0
    assert "uid=" not in output
    status, output = await vps.as_box("-R", "127.0.0.1:1:127.0.0.1:1")
    assert status == 255
    assert "forwarding failed" in output
    other = vps.folder / "other"
    await asyncio.to_thread(other.write_text, f"server {vps.box.public_key}\n")
    status, output = await vps.as_box("-o", f"UserKnownHostsFile={other}")
    assert status == 255
    assert "Host key verification failed" in output
