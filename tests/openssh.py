"""A real OpenSSH server on loopback in front of a pretend router's console.

It runs as whoever runs the tests, knows one key, and can do nothing but hand commands over.
"""

import asyncio
import getpass
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.secure_shell import Client
from tests.servers import free_port

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
_ROOT = Path(__file__).parent.parent
_SEPARATION = Path("/run/sshd")
"""An empty folder that OpenSSH wants where it is started as root."""


@dataclass(frozen=True)
class OpenSsh:
    """A running server and who may use it."""

    host: str
    port: int
    fingerprint: str
    user: str
    client: Client
    """Its `key` signs in; its `known_hosts` knows this server."""


@asynccontextmanager
async def open_ssh(
    folder: Path, console: Path, router_user: str = "appliance"
) -> AsyncIterator[OpenSsh]:
    """Serve the console behind this socket until the block ends."""
    client = Client(folder, free_port())
    await asyncio.to_thread(client.make_key)
    config = await _configured(client, console, router_user)
    if os.geteuid() == 0:
        _SEPARATION.mkdir(mode=0o755, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        str(SSHD),
        "-D",
        "-e",
        "-f",
        str(config),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await _listening(process)
        fingerprint = await client.trust()
        yield OpenSsh("127.0.0.1", client.port, fingerprint, getpass.getuser(), client)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _configured(client: Client, console: Path, router_user: str) -> Path:
    host_key = client.folder / "ssh_host_ed25519_key"
    made = await asyncio.create_subprocess_exec(
        "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key)
    )
    await made.wait()
    keys = client.folder / "authorized_keys"
    keys.write_text(f"{client.public_key}\n")
    command = f"env PYTHONPATH={_ROOT} {sys.executable} -m appliance.sandbox.routeros.console"
    settings = {
        "ListenAddress": f"127.0.0.1:{client.port}",
        "HostKey": str(host_key),
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",
        "PubkeyAuthentication": "yes",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "AuthorizedKeysFile": str(keys),
        "DisableForwarding": "yes",
        "PermitTTY": "no",
        "PrintMotd": "no",
        "SetEnv": "HOME=/nonexistent",  # what a shell would read there may print something
        "ForceCommand": f"{command} --socket {console} --user {router_user}",
    }
    config = client.folder / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    return config


async def _listening(process: asyncio.subprocess.Process) -> None:
    """Wait until it says that it listens; raise with its words if it gives up."""
    said = b""
    while process.stderr is not None:
        line = await process.stderr.readline()
        if b"Server listening" in line:
            return
        said += line
        if not line:
            raise RuntimeError(f"sshd did not start: {said.decode()}")
