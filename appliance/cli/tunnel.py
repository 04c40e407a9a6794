"""`appliance tunnel`: the way in for Safaricom's calls."""

import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from appliance import settings
from appliance.cli.running import FILE, FOLDER, config_option, json_option, once
from appliance.settings import WayIn
from appliance.settings.tunnel import NoTunnel, Ssh, public_ssh_key
from appliance.tunnel.program import program
from appliance.tunnel.samples import rendered
from appliance.tunnel.trial import Trial, tried

_NOT_THERE = {
    "ssh": "ssh is not installed: sudo apt-get install openssh-client",
    "cloudflared": "cloudflared is not installed: Cloudflare's package repository has it",
}


@click.group()
def tunnel() -> None:
    """Keep, describe and try the way in for Safaricom's calls."""


@tunnel.command("run")
@config_option
@click.option("--key", type=FILE, help="The secret that opens it, if not tunnel.key_file.")
def run(config: Path | None, key: Path | None) -> None:
    """Become the program that keeps the tunnel open, as its unit does; reads no secret setting."""
    known = settings.load_way_in(config)
    folder = os.environ.get("RUNTIME_DIRECTORY") or tempfile.mkdtemp(prefix="hotspot-tunnel-")
    found = program(known, Path(folder), key)
    if found is None:
        keeps = {"wireguard": "the kernel keeps it: systemctl enable --now wg-quick@hotspot"}
        why = keeps.get(known.tunnel.kind, "there is no tunnel of ours to keep")
        click.echo(f"tunnel.kind is {known.tunnel.kind}: {why}", err=True)
        sys.exit(os.EX_CONFIG)  # no program that we become ends so: its unit can tell
    where = shutil.which(found.words[0])
    if where is None:
        click.echo(_NOT_THERE[found.words[0]], err=True)
        sys.exit(1)
    for file, text in found.files.items():
        file.write_text(text, encoding="utf-8")
    os.execv(where, found.words)  # noqa: S606 # no shell is wanted


@tunnel.command("render")
@config_option
@click.option("--to", type=FOLDER, help="A folder for the files; else they are printed.")
def render(config: Path | None, to: Path | None) -> None:
    """Make the other side's files: sshd, nginx, cloudflared or WireGuard, as tunnel.kind says."""
    known = settings.load_way_in(config)
    if isinstance(known.tunnel, NoTunnel):
        raise click.UsageError("tunnel.kind is none: set it to ssh, cloudflared or wireguard")
    files = rendered(known, public_key=_public_key(known))
    for name, text in files.items():
        if to is None:
            click.echo(f"##### {name}\n{text}")
            continue
        to.mkdir(parents=True, exist_ok=True)
        (to / name).write_text(text, encoding="utf-8")
        click.echo(f"written: {to / name}")


def _public_key(known: WayIn) -> str:
    if not isinstance(known.tunnel, Ssh):
        return ""
    key = known.tunnel.key_file
    try:
        return public_ssh_key(Path(f"{key}.pub").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise click.UsageError(
            f"{key}.pub cannot be read. Make the key, as root: "
            f"ssh-keygen -q -t ed25519 -N '' -C hotspot -f {key}"
        ) from None


@tunnel.command("test")
@config_option
@json_option
def test(config: Path | None, *, as_json: bool) -> None:
    """Call the public address and see the call arrive in the running daemon; exit 1 if not."""
    trial = once(tried(settings.load(config)))
    click.echo(json.dumps(_as_json(trial)) if as_json else in_words(trial))
    sys.exit(1 if trial.problem else 0)


def in_words(trial: Trial) -> str:
    """Return what a person wants to read."""
    if trial.problem is not None:
        return f"{trial.url}\n{trial.why}"
    seen = f"seen as {trial.address or 'nobody'}"
    lines = [f"{trial.url} leads here: {trial.round_trip_ms} ms there and back, {seen}"]
    if trial.header is not None:
        lines[0] += f" by {trial.header}"
    if trial.warning is not None:
        lines.append(f"But: {trial.warning}")
    return "\n".join(lines)


def _as_json(trial: Trial) -> dict[str, object]:
    found = asdict(trial)
    found["roundTripMs"] = found.pop("round_trip_ms")
    return {"ok": trial.problem is None, **found}
