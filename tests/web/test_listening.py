"""A door at an address that comes later, as a WireGuard tunnel's does at boot."""

import asyncio
import shutil
import subprocess
import sys
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from blockbuster import BlockBuster

from appliance import app, settings
from appliance.app.notify import Supervisor
from appliance.app.watchdog import Watchdog
from appliance.settings.tunnel import Wireguard
from appliance.web.listening import listening
from tests.servers import free_port
from tests.world import World

HERE = Path(__file__).parents[2]
NOT_OURS = "198.51.100.7"
"""Of a network that is for documents (RFC 5737): no machine has it."""
IN_A_NETWORK_OF_ITS_OWN = ("unshare", "--user", "--map-root-user", "--net")


async def test_an_address_that_comes_later_is_taken_only_where_that_is_said() -> None:
    listen = f"{NOT_OURS}:{free_port()}"
    async with listening(web.Application(), listen, ahead=True):
        pass
    with pytest.raises(OSError, match="assign"):
        async with listening(web.Application(), listen):
            pytest.fail("whoever has mistyped an address would not hear of it")


async def test_a_port_that_is_taken_is_refused_there_too() -> None:
    listen = f"{NOT_OURS}:{free_port()}"
    async with listening(web.Application(), listen, ahead=True):
        with pytest.raises(OSError, match="in use"):
            async with listening(web.Application(), listen, ahead=True):
                pytest.fail("two would share it")


def test_once_the_address_is_there_the_door_is_reached() -> None:
    """In a network of its own, where the address can be added behind the door's back."""
    if not all(map(shutil.which, ("unshare", "ip"))):
        pytest.skip("unshare or ip is not installed")
    if _ran(*IN_A_NETWORK_OF_ITS_OWN, "ip", "link").returncode:
        pytest.skip("no network of its own can be made here")
    done = _ran(*IN_A_NETWORK_OF_ITS_OWN, sys.executable, "-m", __name__, f"{NOT_OURS}:8081")
    assert (done.returncode, done.stdout) == (0, "OSError\nHTTP/1.1 404\n"), done


@pytest.mark.parametrize("store_kind", ["sqlite"])
async def test_the_box_starts_before_its_wireguard_does(
    still_world: World, no_blocking_calls: BlockBuster
) -> None:
    loaded = await asyncio.to_thread(settings.load, still_world.settings, {})
    listen = f"{NOT_OURS}:{still_world.ports.webhooks}"
    webhooks = loaded.webhooks.model_copy(update={"listen": listen})
    elsewhere = loaded.model_copy(update={"webhooks": webhooks})
    tunnel = Wireguard(
        kind="wireguard",
        host="vps.example",
        public_key=f"{'A' * 43}=",
        box_public_key=f"{'B' * 42}A=",
        box_address=IPv4Address(NOT_OURS),
    )
    no_blocking_calls.deactivate()  # starting may wait for the disk
    with pytest.raises(OSError, match="assign"):
        async with app.started(elsewhere, Watchdog(Supervisor({}))):
            pytest.fail("without a tunnel the address was mistyped")
    with_tunnel = elsewhere.model_copy(update={"tunnel": tunnel})
    async with app.started(with_tunnel, Watchdog(Supervisor({}))), httpx.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{still_world.ports.admin}/readyz")
        assert answer.status_code == 200


def _ran(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, cwd=HERE
    )


async def _before_and_after(listen: str) -> None:
    async with listening(web.Application(), listen, ahead=True):
        sys.stdout.write(f"{await _knock(listen)}\n")
        host = listen.partition(":")[0]
        for command in ("link set lo up", f"address add {host}/32 dev lo"):
            await (await asyncio.create_subprocess_exec("ip", *command.split())).wait()
        sys.stdout.write(f"{await _knock(listen)}\n")


async def _knock(listen: str) -> str:
    host, _, port = listen.partition(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return "OSError"
    writer.write(b"GET / HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n")
    answer = await reader.readline()
    writer.close()
    return answer.decode()[:12]


if __name__ == "__main__":
    asyncio.run(_before_and_after(sys.argv[1]))
