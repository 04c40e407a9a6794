"""The pretend router behind a real OpenSSH server, for SSH clients as they are in life."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import paramiko
import pytest

from appliance.sandbox.routeros.hostkeys import fingerprint
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions
from tests.openssh import SSHD, OpenSsh, open_ssh

pytestmark = pytest.mark.skipif(SSHD is None, reason="needs sshd")

USERS = "/ip/hotspot/user"


@pytest.fixture
def router_options(tmp_path: Path) -> RouterOptions:
    return RouterOptions(api_port=0, web_port=0, console_socket=tmp_path / "console")


@pytest.fixture
async def server(router: PretendRouter, tmp_path: Path) -> AsyncIterator[OpenSsh]:
    async with open_ssh(tmp_path, tmp_path / "console") as running:
        yield running


async def test_the_console_is_the_same_router(router: PretendRouter, server: OpenSsh) -> None:
    say, user = server.client.say, server.user
    assert (await say(f'{USERS}/add name=ABC3 comment="a b"', user=user)).out == ""
    assert router.hotspot.users[-1].name == "ABC3"
    shown = await say(f":put [{USERS}/get ABC3 comment]", user=user)
    assert (shown.status, shown.out) == (0, "a b\r\n")
    assert (await say(f"{USERS}/remove *99", user=user)).out == "no such item\r\n"


async def test_paramiko_is_served_as_well(server: OpenSsh) -> None:
    def client() -> tuple[str, str]:
        with paramiko.SSHClient() as connection:
            connection.load_host_keys(str(server.client.known_hosts))
            connection.connect(
                server.host,
                server.port,
                server.user,
                key_filename=str(server.client.key),
                look_for_keys=False,
                allow_agent=False,
            )
            transport = connection.get_transport()
            assert transport is not None
            shown = fingerprint(transport.get_remote_server_key().asbytes())
            _, out, _ = connection.exec_command(":put [/system identity get name]")
            return shown, out.read().decode()

    shown, said = await asyncio.to_thread(client)
    assert shown == server.fingerprint
    assert said == "MikroTik\r\n"


async def test_the_router_decides_what_its_user_may_do(
    router: PretendRouter, tmp_path: Path
) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    async with open_ssh(folder, tmp_path / "console", router_user="reader") as server:
        said = await server.client.say(f"{USERS}/add name=A", user=server.user)
        assert said.out == "not enough permissions (9)\r\n"
    folder = tmp_path / "nobody"
    folder.mkdir()
    async with open_ssh(folder, tmp_path / "console", router_user="nobody") as server:
        assert (await server.client.say(":put 1", user=server.user)).status == 255
