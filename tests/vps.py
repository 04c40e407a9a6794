"""The other end of the tunnel on loopback: OpenSSH and nginx, as the rendered files set them up."""

import asyncio
import getpass
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from appliance.settings import load_way_in
from appliance.tunnel.program import program
from appliance.tunnel.samples import rendered
from tests.forks import Forked, forked
from tests.openssh import _SEPARATION, SSHD
from tests.secure_shell import Client
from tests.servers import free_port

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
HEADER = "X-Real-IP"
Running = asyncio.subprocess.Process | Forked
_PATIENCE = 15.0


def make_certificate(folder: Path, name: str) -> None:
    """Put `fullchain.pem` and `privkey.pem` of a server of this name into the folder."""
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    asked = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    files = ["-out", str(folder / "fullchain.pem"), "-keyout", str(folder / "privkey.pem")]
    subprocess.run([*words.split(), *asked, *files], check=True, capture_output=True)


def make_key(file: Path) -> None:
    """Make a key pair for SSH."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)]
    subprocess.run(words, check=True)


@dataclass
class Vps:
    """A server with a public name, which is `localhost` here."""

    folder: Path
    ssh_port: int = field(default_factory=free_port)
    https_port: int = field(default_factory=free_port)
    remote_port: int = field(default_factory=free_port)
    _running: dict[str, Running] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.box = Client(self.folder, self.ssh_port)
        self.box.make_key()
        make_key(self.folder / "host_key")
        make_certificate(self.folder, "localhost")

    @property
    def url(self) -> str:
        return f"https://localhost:{self.https_port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "fullchain.pem"

    @property
    def tunnel(self) -> dict[str, object]:
        """What the box's settings say of it."""
        return {
            "kind": "ssh",
            "host": "127.0.0.1",
            "port": self.ssh_port,
            "host_key": (self.folder / "host_key.pub").read_text(),
            "key_file": str(self.box.key),
            "remote_port": self.remote_port,
        }

    def set_up(self, settings: Path) -> None:
        """Put the files where they belong, as the settings of this box ask."""
        key = self.box.public_key.rpartition(" ")[0]
        files = rendered(load_way_in(settings), public_key=key)
        (self.folder / "authorized_keys").write_text(files["authorized_keys"])
        lines = [
            f"ListenAddress 127.0.0.1:{self.ssh_port}",
            f"HostKey {self.folder / 'host_key'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            *("PidFile none", "UsePAM no", "StrictModes no", "PermitRootLogin prohibit-password"),
            files["sshd.conf"].replace("User tunnel", f"User {getpass.getuser()}"),
        ]
        (self.folder / "sshd_config").write_text("\n".join(lines))
        (self.folder / "nginx.conf").write_text(self._nginx(files["nginx.conf"]))

    def _nginx(self, site: str) -> str:
        for theirs, ours in (
            ("/etc/letsencrypt/live/localhost", str(self.folder)),
            ("/var/log/nginx", str(self.folder)),
            ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
            ("    listen [::]:80;\n", ""),
            (f"    listen [::]:{self.https_port} ssl;\n", ""),
            (f"listen {self.https_port} ssl;", f"listen 127.0.0.1:{self.https_port} ssl;"),
        ):
            assert theirs in site
            site = site.replace(theirs, ours)
        places = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{place}_temp_path {self.folder}/{place};\n" for place in places)
        who = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        return (
            f"{who}\ndaemon off;\nmaster_process off;\npid {self.folder}/nginx.pid;\n"
            f"error_log {self.folder}/main.log;\nevents {{}}\nhttp {{\n{temporary}{site}}}\n"
        )

    async def open(self) -> None:
        """Start both, and return when they listen."""
        await self.start_ssh()
        words = (str(NGINX), "-p", str(self.folder), "-c", "nginx.conf")
        await self._start("nginx", *words, port=self.https_port)

    async def start_ssh(self) -> None:
        if os.geteuid() == 0:
            _SEPARATION.mkdir(mode=0o755, exist_ok=True)
        words = (str(SSHD), "-D", "-e", "-f", str(self.folder / "sshd_config"))
        await self._start("sshd", *words, port=self.ssh_port)

    async def close(self) -> None:
        for name in list(self._running):
            await self.stop(name)

    async def tunnel_up(self, settings: Path) -> None:
        """Run `appliance tunnel run` and return when the server takes calls for the box."""
        # Who has no account `tunnel` here signs in as whoever runs the tests: ssh takes the first.
        (self.folder / "bin").mkdir(exist_ok=True)
        stand_in = self.folder / "bin" / "ssh"
        stand_in.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -l {getpass.getuser()} "$@"\n')
        stand_in.chmod(0o755)
        path = f"{stand_in.parent}:{os.environ['PATH']}"
        process = await forked(
            *("appliance", "tunnel", "run", "--config", str(settings)),
            environment={**os.environ, "PATH": path},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await self._started("tunnel", process, self.remote_port)

    async def cut(self) -> int:
        """Take the server's ssh away, and return what the box's program ends with by itself."""
        sshd, tunnel = self._running.pop("sshd"), self._running.pop("tunnel")
        of_it = [psutil.Process(sshd.pid), *psutil.Process(sshd.pid).children(recursive=True)]
        for process in of_it:
            process.send_signal(signal.SIGKILL)
        async with asyncio.timeout(_PATIENCE):
            await sshd.wait()
            return await tunnel.wait()

    async def stop(self, name: str) -> None:
        process = self._running.pop(name)
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()

    async def as_box(self, *options: str, command: str | None = None) -> tuple[int, str]:
        """Sign in as the box does, but ask for something else; return the status and the output."""
        words = await asyncio.to_thread(self._words)
        if command is not None:
            words[1] = "-T"
            words[words.index("-R") : words.index("-R") + 2] = []
        asked = [words[0], "-l", getpass.getuser(), *options, *words[1:]]
        process = await asyncio.create_subprocess_exec(
            *asked, *([command] if command else []),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_PATIENCE):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        return process.returncode or 0, output.decode()

    def _words(self) -> list[str]:
        found = program(load_way_in(self.folder.parent / "appliance.toml"), self.folder)
        assert found is not None
        for file, text in found.files.items():
            file.write_text(text)
        return list(found.words)

    async def _start(self, name: str, *words: str, port: int) -> None:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        await self._started(name, process, port)

    async def _started(self, name: str, process: Running, port: int) -> None:
        self._running[name] = process
        async with asyncio.timeout(_PATIENCE):
            while not await _listens(port):
                assert process.returncode is None, f"{name} ended with {process.returncode}"
                await asyncio.sleep(0.05)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
