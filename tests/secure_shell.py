"""The system's own `ssh`, as tests use it: a key of its own, and one host key that it trusts."""

import asyncio
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SSH = shutil.which("ssh")


@dataclass(frozen=True)
class Said:
    """What one run of `ssh` came to."""

    status: int
    out: str
    errors: str


@dataclass(frozen=True)
class Client:
    """Somebody with a key and a folder."""

    folder: Path
    port: int

    @property
    def key(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def public_key(self) -> str:
        return self.key.with_suffix(".pub").read_text().strip()

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def make_key(self) -> None:
        made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(self.key)]
        subprocess.run(made, check=True)

    async def trust(self, kinds: str = "ed25519,rsa") -> str:
        """Take the host key that is shown now, and return its fingerprint."""
        shown = await _run("ssh-keyscan", "-t", kinds, "-p", str(self.port), "127.0.0.1")
        self.known_hosts.write_text(shown.out)
        printed = await _run("ssh-keygen", "-l", "-f", str(self.known_hosts))
        return printed.out.split()[1]

    async def say(
        self,
        *command: str,
        user: str = "appliance",
        password: str | None = None,
        options: tuple[str, ...] = (),
    ) -> Said:
        """Run one command, by key or, where a password is given, by password."""
        way = "publickey" if password is None else "password"
        settings = {
            "UserKnownHostsFile": str(self.known_hosts),
            "StrictHostKeyChecking": "yes",
            "PreferredAuthentications": way,
            "IdentitiesOnly": "yes",
            "IdentityFile": str(self.key),
            "NumberOfPasswordPrompts": "1",
            "LogLevel": "ERROR",
        }
        words = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        asked = {"SSH_ASKPASS": str(self._prompt(password or "")), "SSH_ASKPASS_REQUIRE": "force"}
        where = ["-F", "none", "-p", str(self.port), *words, *options, f"{user}@127.0.0.1"]
        return await _run("ssh", *where, *command, environ=asked)

    def _prompt(self, password: str) -> Path:
        script = self.folder / "askpass"
        script.write_text(f"#!/bin/sh\necho '{password}'\n")
        script.chmod(0o700)
        return script


async def _run(*words: str, environ: dict[str, str] | None = None) -> Said:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environ or {})},
    )
    out, errors = await process.communicate()
    return Said(process.returncode or 0, out.decode(), errors.decode())
