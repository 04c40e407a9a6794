"""`appliance setup`: the settings of a new box, from what only its owner knows."""

import os
import secrets
import socket
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from cryptography.fernet import Fernet

from appliance import settings
from appliance.cli.running import FILE, FOLDER, config_option
from appliance.sandbox.config import table
from appliance.store.hold import written

_BACKUPS = "backups"
_SECRETS: dict[str, Callable[[], str]] = {
    "webhooks.path_secret": lambda: secrets.token_hex(16),
    "admin.cron_secret": lambda: secrets.token_hex(16),
    "appliance.encryption_keys": lambda: Fernet.generate_key().decode(),
    "backup.key": lambda: secrets.token_hex(32),
    # The router learns it from `provision apply`, which makes the box's account there.
    "router.password": lambda: secrets.token_urlsafe(18),
}
"""What is made up where neither the environment nor an earlier run has it."""

_TUNNELS: dict[str, dict[str, tuple[str, str | None]]] = {
    "ssh": {
        "host": ("The server's name or address", None),
        "user": ("The account on it that can do nothing else", "tunnel"),
        "host_key": ("What `cat /etc/ssh/ssh_host_ed25519_key.pub` prints there", None),
    },
    "cloudflared": {"id": ("The UUID that `cloudflared tunnel create` printed", None)},
}
"""What a tunnel has to be told; WireGuard needs keys of both ends, and is set by hand."""
_CALLER = {"ssh": "X-Real-IP", "cloudflared": "CF-Connecting-IP"}

F = TypeVar("F", bound=Callable[..., Any])


def _asked(key: str, flag: str, says: str, **more: Any) -> Callable[[F], F]:
    """Return an option that is the environment variable of its setting, too."""
    name = key.replace(".", "_")
    return click.option(flag, name, envvar=_variable(key), help=says, **more)


def _variable(key: str) -> str:
    return settings.variable(*key.split("."))


@click.command()
@config_option
@_asked("router.host", "--router-host", "The router's address.")
@_asked("router.username", "--router-user", "The box's account on it.", default="appliance")
@_asked("webhooks.public_url", "--public-url", "Where Safaricom reaches the box: https://…")
@_asked("portal.public_url", "--portal-url", "Where customers reach the box: http://…:8080")
@_asked("portal.brand", "--brand", "What customers see.", default="Wi-Fi")
@_asked(
    "daraja.environment",
    "--environment",
    "Of M-Pesa.",
    default="production",
    type=click.Choice(["production", "sandbox"]),
)
@_asked(
    "tunnel.kind",
    "--tunnel",
    "How Safaricom reaches the box; the rest of [tunnel] is asked for, or in its variables.",
    type=click.Choice(["none", *_TUNNELS]),
)
@_asked("appliance.data_dir", "--data-dir", "Where the data is.", type=FOLDER)
@click.option("--router-password-file", type=FILE, help="Else one is made for the box's account.")
@click.option("--seed", type=FILE, help="Paybills, owners, routers and plans; else it asks.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def setup(
    config: Path | None,
    router_password_file: Path | None,
    seed: Path | None,
    *,
    yes: bool,
    appliance_data_dir: Path | None,
    tunnel_kind: str | None,
    **told: str | None,
) -> None:
    """Write the settings of a new box, its secrets, and a seed file.

    Settings that are there already are left alone, and so is every secret.
    """
    file = settings.file_of(config)
    if file.exists():
        click.echo(f"{file} is there already")
        return
    ask = not yes and _somebody_is_there()
    answers = {name.replace("_", ".", 1): _answer(name, value, ask) for name, value in told.items()}
    tables = _tables(answers, appliance_data_dir)
    _dig(tables, tunnel_kind, ask=ask)
    folder = settings.credentials_of(file)
    made = _credentials(folder, router_password_file)
    settings.checked(_with(tables, made))  # before the longer questions
    seeded = _seed(file, seed, answers, ask=ask)
    tables["appliance"]["name"] = tables["router"]["id"] = _router_id(seeded)
    settings.checked(_with(tables, made))
    folder.mkdir(exist_ok=True, mode=0o700)
    for name, secret in made.items():
        if not (folder / name).exists():
            written(folder / name, f"{secret}\n".encode(), 0o600)
    if seeded is not None:
        written(file.with_name("seed.toml"), seeded.encode(), 0o600)
    text = "\n".join(table(f"[{name}]", values) for name, values in tables.items())
    written(file, text.encode(), 0o640)
    click.echo(f"written: {file}")
    if "tunnel" in tables:
        click.echo("Then the other end of the tunnel: docs/tunnel.md, and `appliance tunnel test`.")
    click.echo(f"Keep a copy of {folder / 'backup.key'} elsewhere: no backup opens without it.")


_QUESTIONS: dict[str, tuple[str, Callable[[], str | None]]] = {
    "router_host": ("Address of the router", lambda: None),
    "webhooks_public_url": ("Address where Safaricom reaches this box (https://…)", lambda: None),
    "portal_public_url": (
        "Address where customers reach this box",
        lambda: f"http://{socket.gethostname()}:8080",
    ),
}


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


def _answer(name: str, value: str | None, ask: bool) -> str:  # noqa: FBT001
    if value is not None:
        return value
    question, default = _QUESTIONS[name]
    if not ask:
        flag = {"router_host": "--router-host", "webhooks_public_url": "--public-url"}
        raise click.UsageError(f"{flag.get(name, '--portal-url')} is needed: {question.lower()}")
    return str(click.prompt(question, default=default()))


def _tables(answers: dict[str, str], data_dir: Path | None) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {
        "appliance": {},
        "router": {},
        "backup": {"directory": str((data_dir or settings.Appliance().data_dir) / _BACKUPS)},
    }
    if data_dir is not None:
        tables["appliance"]["data_dir"] = str(data_dir)
    for key, value in answers.items():
        section, _, name = key.partition(".")
        tables.setdefault(section, {})[name] = value
    return tables


def _dig(tables: dict[str, dict[str, Any]], kind: str | None, *, ask: bool) -> None:
    """Put the tunnel's settings in, and how the door behind it knows its callers."""
    if kind is None and ask:
        ways = click.Choice(["none", *_TUNNELS])
        kind = click.prompt("Tunnel for Safaricom's calls", type=ways, default="none")
    if kind in _TUNNELS:
        told = {key: _told(key, *asked, ask=ask) for key, asked in _TUNNELS[kind].items()}
        tables["tunnel"] = {"kind": kind, **told}
        tables["webhooks"]["client_ip_header"] = _CALLER[kind]


def _told(key: str, question: str, default: str | None, *, ask: bool) -> str:
    variable = _variable(f"tunnel.{key}")
    value = os.environ.get(variable, None if ask else default)
    if value is None and not ask:
        raise click.UsageError(f"{variable} is needed: {question}")
    return str(click.prompt(question, default=default)) if value is None else value


def _credentials(folder: Path, password: Path | None) -> dict[str, str]:
    made = {name: os.environ.get(_variable(name)) or make() for name, make in _SECRETS.items()}
    if password is not None:
        made["router.password"] = _text(password).strip()
    for name in made:
        if (folder / name).exists():
            made[name] = (folder / name).read_text(encoding="utf-8").strip()
    return made


def _with(tables: dict[str, dict[str, Any]], made: dict[str, str]) -> dict[str, dict[str, Any]]:
    whole = {name: dict(values) for name, values in tables.items()}
    for key, secret in made.items():
        section, _, name = key.partition(".")
        whole.setdefault(section, {})[name] = secret
    return whole


def _router_id(seeded: str | None) -> str:
    """Return the router's name: as the seed has it, else the box's own."""
    routers = tomllib.loads(seeded or "").get("routers", [])
    if len(routers) == 1 and isinstance(routers[0].get("id"), str):
        return str(routers[0]["id"])
    return socket.gethostname().partition(".")[0][:64] or "hotspot"


def _seed(file: Path, given: Path | None, answers: dict[str, str], *, ask: bool) -> str | None:
    there = file.with_name("seed.toml")
    if given is not None:
        return _text(given)
    if there.exists():
        return _text(there)
    if not ask or not click.confirm("Is there a paybill or till to sell through?", default=True):
        click.echo("No paybill yet: put one, and plans, with `appliance db seed FILE`.")
        return None
    return _asked_seed(answers["daraja.environment"])


def _text(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".toml":
            tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"{file} cannot be read: {error}") from None
    return text


def _asked_seed(environment: str) -> str:
    kind = click.prompt("Paybill or till", type=click.Choice(["paybill", "till"]))
    info = {"number": click.prompt("Its number"), "name": click.prompt("Its name"), "type": kind}
    if kind == "till":
        info["storeNumber"] = click.prompt("Its store number")
    keys = {
        "consumerKey": click.prompt("Daraja consumer key", hide_input=True),
        "consumerSecret": click.prompt("Daraja consumer secret", hide_input=True),
        "passKey": click.prompt("Daraja pass key", hide_input=True),
    }
    price = click.prompt("Price of an hour, KES", type=click.IntRange(1, 250_000))
    plan = {"id": "hour", "name": "One hour", "price": price, "durationSeconds": 3600, "order": 0}
    parts = (
        ("[[routers]]", {"id": _router_id(None)}),
        ("[[paybills]]", {"status": "active"}),
        ("[paybills.paybillInfo]", info),
        ("[paybills.credentials]", keys),
        ("[paybills.config]", {"environment": environment}),
        ("[[plans]]", plan),
    )
    return "\n".join(table(heading, values) for heading, values in parts)
