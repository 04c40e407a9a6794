"""The pretend router's SSH, held to the system's own `ssh`."""

import asyncio
from pathlib import Path

import paramiko
import pytest

from appliance.sandbox.routeros.server import PretendRouter, RouterOptions, pretend_router
from tests.secure_shell import SSH, Client

pytestmark = pytest.mark.skipif(SSH is None, reason="needs ssh")

USERS = "/ip/hotspot/user"
PARAMIKO_HAS_SHA1 = paramiko.__version__ < "5"


@pytest.fixture
def router_options(tmp_path: Path) -> RouterOptions:
    return RouterOptions(api_port=0, web_port=0, ssh_port=0, keys_dir=tmp_path / "keys")


@pytest.fixture
async def client(router: PretendRouter, tmp_path: Path) -> Client:
    made = Client(tmp_path, router.ssh_port)
    await asyncio.to_thread(made.make_key)
    await made.trust()
    return made


async def test_a_password_signs_in_and_a_command_is_answered(
    router: PretendRouter, client: Client
) -> None:
    said = await client.say(f':put [{USERS}/get admin name]; :put "two"', password="sandbox")
    assert (said.status, said.out) == (0, "admin\r\ntwo\r\n")
    assert (await client.say(f"{USERS}/add name=ABC3", password="sandbox")).out == ""
    assert router.hotspot.users[-1].name == "ABC3"


async def test_a_refusal_is_printed_like_an_answer_and_the_status_is_none(client: Client) -> None:
    said = await client.say("/ip/hotspott/print", password="sandbox")
    assert said.status == 0
    assert said.out == "syntax error (line 1 column 13)\r\n"
    assert said.errors == ""
    said = await client.say(f"{USERS}/remove *99", password="sandbox")
    assert (said.status, said.out) == (0, "no such item\r\n")


async def test_the_status_of_a_refusal_may_be_another(
    router: PretendRouter, client: Client
) -> None:
    router.faults.set({"ssh_error_status": 1})
    assert (await client.say(f"{USERS}/remove *99", password="sandbox")).status == 1
    assert (await client.say(":put 1", password="sandbox")).status == 0


async def test_a_wrong_password_a_stranger_and_one_without_the_policy_stay_out(
    router: PretendRouter, client: Client
) -> None:
    groups, users = router.device.accounts.groups, router.device.accounts.users
    groups.add({"name": "api-only", "policy": "read,write,api"})
    users.add({"name": "robot", "group": "api-only", "password": "sandbox"})
    for user, password in {"appliance": "wrong", "nobody": "sandbox", "robot": "sandbox"}.items():
        said = await client.say(":put 1", user=user, password=password)
        assert said.status == 255
        assert "Permission denied" in said.errors


async def test_a_key_signs_in_and_from_then_on_the_password_does_not(
    router: PretendRouter, client: Client
) -> None:
    assert (await client.say(":put 1")).status == 255
    router.device.accounts.keys.add({"user": "appliance", "key": client.public_key})
    assert (await client.say(":put 1")).out == "1\r\n"
    assert (await client.say(":put 1", user="reader")).status == 255
    assert (await client.say(":put 1", password="sandbox")).status == 255
    router.device.ssh.row["password-authentication"] = "yes"
    assert (await client.say(":put 1", password="sandbox")).out == "1\r\n"


async def test_policies_count_over_ssh_too(client: Client) -> None:
    said = await client.say(f"{USERS}/add name=A", user="reader", password="sandbox")
    assert (said.status, said.out) == (0, "not enough permissions (9)\r\n")


async def test_the_host_key_stays_the_same_and_another_is_noticed(
    router: PretendRouter, client: Client, tmp_path: Path
) -> None:
    assert await client.trust() == router.ssh_fingerprint
    options = RouterOptions(api_port=0, web_port=0, ssh_port=0, keys_dir=tmp_path / "keys")
    async with pretend_router(options) as again:
        assert again.ssh_fingerprint == router.ssh_fingerprint
    options = RouterOptions(api_port=0, web_port=0, ssh_port=0)
    async with pretend_router(options) as other:
        assert other.ssh_fingerprint != router.ssh_fingerprint
        moved = Client(tmp_path, other.ssh_port)
        known = f"[127.0.0.1]:{other.ssh_port}"
        hosts = client.known_hosts.read_text().replace(f"[127.0.0.1]:{router.ssh_port}", known)
        client.known_hosts.write_text(hosts)
        said = await moved.say(":put 1", password="sandbox")
        assert said.status == 255
        assert "HOST IDENTIFICATION HAS CHANGED" in said.errors


async def test_there_is_no_shell_and_it_says_so(client: Client) -> None:
    said = await client.say(password="sandbox")
    assert said.status == 1
    assert "no terminal here" in said.out


async def test_a_service_that_is_limited_hears_nobody_else(
    router: PretendRouter, client: Client
) -> None:
    (row_id,) = [i for i, r in router.device.services.table.rows.items() if r["name"] == "ssh"]
    router.device.services.table.set([row_id], {"address": "10.5.50.2/32"})
    assert (await client.say(":put 1", password="sandbox")).status == 255
    router.device.services.table.set([row_id], {"address": "10.5.50.2/32,127.0.0.0/8"})
    assert (await client.say(":put 1", password="sandbox")).status == 0


async def test_version_6_has_an_rsa_key_and_old_algorithms_may_be_all_there_is(
    tmp_path: Path,
) -> None:
    options = RouterOptions(api_port=0, web_port=0, ssh_port=0, version="6.49")
    async with pretend_router(options) as old:
        client = Client(tmp_path, old.ssh_port)
        await asyncio.to_thread(client.make_key)
        assert await client.trust() == old.ssh_fingerprint
        assert "ssh-rsa" in client.known_hosts.read_text()
        said = await client.say(":put [/ip hotspot user get admin name]", password="sandbox")
        assert said.out == "admin\r\n"
        old.faults.set({"ssh_only_sha1": True})
        assert (await client.say(":put 1", password="sandbox")).status == 255
        kex = ("-o", "KexAlgorithms=+diffie-hellman-group14-sha1")
        lenient = (*kex, "-o", "HostKeyAlgorithms=+ssh-rsa")
        said = await client.say(":put 1", password="sandbox", options=lenient)
        assert (said.out == "1\r\n") is PARAMIKO_HAS_SHA1


@pytest.mark.parametrize(
    ("fault", "added"),
    [
        ({"ssh_refuse": True}, False),
        ({"ssh_cut_before_command": "add name"}, False),
        ({"ssh_cut_after_command": "add name"}, True),
    ],
)
async def test_a_fault_is_felt_and_then_over(
    router: PretendRouter, client: Client, fault: dict[str, object], *, added: bool
) -> None:
    router.faults.set(fault)
    said = await client.say(f"{USERS}/add name=ABC3", password="sandbox")
    assert said.status == 255
    assert ("ABC3" in {user.name for user in router.hotspot.users}) is added
    router.faults.set({})
    assert (await client.say(":put 1", password="sandbox")).out == "1\r\n"


async def test_a_router_without_power_is_not_there(router: PretendRouter, client: Client) -> None:
    rebooting = asyncio.ensure_future(router.reboot(600))
    await asyncio.sleep(0)
    assert (await client.say(":put 1", password="sandbox")).status == 255
    rebooting.cancel()


async def test_letters_beyond_ascii_arrive_or_are_lost(
    router: PretendRouter, client: Client
) -> None:
    assert (await client.say(':put "caf\u00e9"', password="sandbox")).out == "caf\u00e9\r\n"
    router.faults.set({"ssh_loses_letters": True})
    assert (await client.say(':put "caf\u00e9"', password="sandbox")).out == "caf\r\n"


async def test_many_at_once_are_served_and_one_too_many_is_not(
    router: PretendRouter, client: Client
) -> None:
    said = await asyncio.gather(
        *(client.say(f":put {number}", password="sandbox") for number in range(10))
    )
    assert [one.out for one in said] == [f"{number}\r\n" for number in range(10)]
    table = router.device.services.table
    table.set([table.id_of("ssh")], {"max-sessions": "1"})
    standing = await asyncio.to_thread(paramiko.Transport, ("127.0.0.1", router.ssh_port))
    try:
        await asyncio.to_thread(standing.start_client)
        assert (await client.say(":put 1", password="sandbox")).status == 255
    finally:
        await asyncio.to_thread(standing.close)


# Files


async def sftp(client: Client, user: str, *lines: str) -> tuple[int, str]:
    batch = client.folder / "batch"
    batch.write_text("".join(f"{line}\n" for line in lines))
    process = await asyncio.create_subprocess_exec(
        *("sftp", "-q", "-F", "none", "-P", str(client.port), "-b", str(batch)),
        *("-o", f"UserKnownHostsFile={client.known_hosts}", "-o", "IdentitiesOnly=yes"),
        *("-i", str(client.key), f"{user}@127.0.0.1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_files_are_moved_by_those_who_may(
    router: PretendRouter, client: Client, tmp_path: Path
) -> None:
    for user in ("admin", "appliance"):
        router.device.accounts.keys.add({"user": user, "key": client.public_key})
    page = tmp_path / "login.html"
    page.write_text("<p>caf\u00e9</p>\n" * 5000)
    lines = (f"put {page} flash/login.html", "ls -1 flash", f"get flash/login.html {page}.back")
    status, said = await sftp(client, "admin", "mkdir flash", *lines)
    assert status == 0, said
    assert "flash/login.html" in said
    assert (tmp_path / "login.html.back").read_text() == page.read_text()
    assert router.device.files.text("flash/login.html") == page.read_text()
    status, _ = await sftp(client, "admin", "rm flash/login.html", "get flash/login.html x")
    assert status == 1
    assert router.device.files.text("flash/login.html") is None
    status, _ = await sftp(client, "appliance", "ls")
    assert status == 255


async def test_an_uploaded_key_is_imported(router: PretendRouter, client: Client) -> None:
    router.device.files.put("k.pub", client.public_key)
    line = "/user ssh-keys import public-key-file=k.pub user=appliance"
    said = await client.say(line, user="appliance", password="sandbox")
    assert said.out == "not enough permissions (9)\r\n"
    assert (await client.say(line, user="admin", password="sandbox")).out == ""
    assert (await client.say(":put 1")).out == "1\r\n"


async def test_the_log_says_who_came_and_what_scripts_said(client: Client) -> None:
    said = await client.say(
        ':log info ("paid " . 5); /log print terse', user="admin", password="sandbox"
    )
    assert "message=user admin logged in from 127.0.0.1 via ssh" in said.out
    assert "topics=script,info message=paid 5" in said.out
