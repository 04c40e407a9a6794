"""The program that keeps the tunnel open, and what it has to read."""

from dataclasses import dataclass, field
from pathlib import Path

from appliance.settings import WayIn
from appliance.settings.tunnel import Cloudflared, Ssh
from appliance.tunnel.samples import CLOUDFLARED, rendered

_SERVER = "server"
_SSH_OPTIONS = {
    # Nobody is there to be asked, and nothing but this key and this server will do.
    "BatchMode": "yes",
    "IdentitiesOnly": "yes",
    "PreferredAuthentications": "publickey",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "none",
    "UpdateHostKeys": "no",
    "HostKeyAlias": _SERVER,
    # A forward that was not had, or a line that died, is an end: systemd begins again.
    "ExitOnForwardFailure": "yes",
    "ConnectTimeout": "15",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
}


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and the files that have to be there first."""

    words: tuple[str, ...]
    files: dict[Path, str] = field(default_factory=dict)


def program(known: WayIn, folder: Path, key: Path | None = None) -> Program | None:
    """Return what keeps this tunnel open; None where nothing on the box has to.

    Its files go into `folder`; `key` is where the secret is that opens it, if elsewhere than set.
    """
    tunnel = known.tunnel
    if isinstance(tunnel, Ssh):
        known_hosts = folder / "known_hosts"
        return _ssh(tunnel, known.webhooks.listen, key or tunnel.key_file, known_hosts)
    if isinstance(tunnel, Cloudflared):
        file = folder / CLOUDFLARED
        words = ("cloudflared", "tunnel", "--no-autoupdate", "--config", str(file), "run")
        return Program(words, {file: rendered(known, key_file=key)[CLOUDFLARED]})
    return None


def _ssh(tunnel: Ssh, listen: str, key: Path, known_hosts: Path) -> Program:
    options = {
        **_SSH_OPTIONS,
        "IdentityFile": str(key),
        "UserKnownHostsFile": str(known_hosts),
    }
    forward = f"127.0.0.1:{tunnel.remote_port}:{listen.removeprefix('unix:')}"
    told = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    end = ("-p", str(tunnel.port), "-R", forward, "-l", tunnel.user, "--", tunnel.host)
    return Program(
        ("ssh", "-NT", "-F", "none", *told, *end), {known_hosts: f"{_SERVER} {tunnel.host_key}\n"}
    )
