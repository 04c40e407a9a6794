"""`appliance setup`: the settings of a new box, from what only its owner knows."""

import secrets
import socket
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from cryptography.fernet import Fernet

from appliance import settings
from appliance.app.provision import address_towards
from appliance.cli.running import FILE, FOLDER, config_option
from appliance.sandbox.config import table
from appliance.settings.reference import sections
from appliance.settings.tunnel import Wireguard
from appliance.store.hold import written

_BACKUPS = "backups"
_MADE: dict[str, Callable[[], str]] = {
    "webhooks.path_secret": lambda: secrets.token_hex(16),
    "admin.cron_secret": lambda: secrets.token_hex(16),
    "appliance.encryption_keys": lambda: Fernet.generate_key().decode(),
    "backup.key": lambda: secrets.token_hex(32),
    # The router learns it from `provision apply`, which makes the box's account there.
    "router.password": lambda: secrets.token_urlsafe(18),
}
"""What is made up where neither the environment nor an earlier run has it."""

_USUAL = {
    "router.username": "appliance",
    "portal.brand": "Wi-Fi",
    "daraja.environment": "production",
}
"""What nobody is asked about."""

_FLAGS = {
    "router.host": "--router-host",
    "webhooks.public_url": "--public-url",
    "portal.public_url": "--portal-url",
}
_TUNNELS: dict[str, dict[str, tuple[str, str | None]]] = {
    "ssh": {
        "host": ("The server's name or address", None),
        "user": ("The account on it that can do nothing else", "tunnel"),
        "host_key": ("What `cat /etc/ssh/ssh_host_ed25519_key.pub` prints there", None),
    },
    "cloudflared": {"id": ("The UUID that `cloudflared tunnel create` printed", None)},
    "wireguard": {
        "host": ("The server's name or address", None),
        "public_key": ("The server's public key, as `wg pubkey` printed it", None),
        "box_public_key": ("The public key of this box, likewise", None),
    },
}
"""What a tunnel has to be told."""
_CALLER = {"ssh": "X-Real-IP", "cloudflared": "CF-Connecting-IP", "wireguard": "X-Real-IP"}

Known = dict[str, Any]
"""What was told of the settings so far, each as `section.key`."""
F = TypeVar("F", bound=Callable[..., Any])


def _sets(key: str, flag: str, says: str, **more: Any) -> Callable[[F], F]:
    """Return an option that wins over the environment variable of its setting."""
    return click.option(flag, key.replace(".", "_"), help=says, **more)


@click.command()
@config_option
@_sets("router.host", "--router-host", "The router's address.")
@_sets("router.username", "--router-user", "The box's account on it.")
@_sets("webhooks.public_url", "--public-url", "Where Safaricom reaches the box: https://…")
@_sets("portal.public_url", "--portal-url", "Where customers reach the box: http://…:8080")
@_sets("portal.brand", "--brand", "What customers see.")
@_sets(
    "daraja.environment",
    "--environment",
    "Of M-Pesa; production, unless told.",
    type=click.Choice(["production", "sandbox"]),
)
@_sets(
    "tunnel.kind",
    "--tunnel",
    "How Safaricom reaches the box; the rest of [tunnel] is asked for, or in its variables.",
    type=click.Choice(["none", *_TUNNELS]),
)
@_sets("appliance.data_dir", "--data-dir", "Where the data is.", type=FOLDER)
@click.option("--router-password-file", type=FILE, help="Else one is made for the box's account.")
@click.option("--seed", type=FILE, help="Paybills, owners, routers and plans; else it asks.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def setup(
    config: Path | None,
    router_password_file: Path | None,
    seed: Path | None,
    *,
    yes: bool,
    **flags: str | Path | None,
) -> None:
    """Write the settings of a new box, its secrets, and a seed file.

    Every setting is taken from its environment variable too. Settings that are there already are
    left alone, and so is every secret.
    """
    file = settings.file_of(config)
    if file.exists():
        click.echo(f"{file} is there already")
        return
    ask = not yes and _somebody_is_there()
    known = _told(flags)
    _ask_where(known, ask=ask)
    _dig(known, ask=ask)
    folder = settings.credentials_of(file)
    kept = _credentials(known, folder, router_password_file)
    settings.checked(_nested({**known, **kept}))  # before the longer questions
    seeded = _seed(file, seed, known, ask=ask)
    known.setdefault("router.id", _router_id(seeded))
    known.setdefault("appliance.name", known["router.id"])
    text = _file(known, kept)
    folder.mkdir(exist_ok=True, mode=0o700)
    for name, secret in kept.items():
        if not (folder / name).exists():
            written(folder / name, f"{secret}\n".encode(), 0o600)
    if seeded is not None:
        written(file.with_name("seed.toml"), seeded.encode(), 0o600)
    written(file, text.encode(), 0o640)
    click.echo(f"written: {file}")
    if known.get("tunnel.kind", "none") != "none":
        click.echo("Then the other end of the tunnel: docs/tunnel.md, and `appliance tunnel test`.")
    click.echo(f"Keep a copy of {folder / 'backup.key'} elsewhere: no backup opens without it.")


def _told(flags: Mapping[str, str | Path | None]) -> Known:
    """Return what variables and flags say, and what is usual."""
    known: Known = {**_USUAL}
    known |= {".".join(pair): value for pair, value in settings.variables().items()}
    told = {name.replace("_", ".", 1): value for name, value in flags.items()}
    known |= {key: value for key, value in told.items() if value is not None}
    data_dir = Path(known.get("appliance.data_dir", settings.Appliance().data_dir))
    known.setdefault("backup.directory", str(data_dir / _BACKUPS))
    return known


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


def _ask_where(known: Known, *, ask: bool) -> None:
    """Learn the addresses that no box could guess; the portal's is most likely this box's own."""
    _answer(known, "router.host", "Address of the router", ask=ask)
    address = "Address where Safaricom reaches this box (https://…)"
    _answer(known, "webhooks.public_url", address, ask=ask)
    own = known.get("hotspot.box") or address_towards(known["router.host"])
    likely = None if own is None or own.startswith("127.") else f"http://{own}:8080"
    _answer(known, "portal.public_url", "Address where customers reach this box", likely, ask=ask)


def _answer(
    known: Known, key: str, question: str, default: str | None = None, *, ask: bool
) -> None:
    """Have it asked for, unless it was told."""
    if key in known:
        return
    if not ask:
        name = _FLAGS.get(key) or settings.variable(*key.split("."))
        raise click.UsageError(f"{name} is needed: {question}")
    known[key] = click.prompt(question, default=default)


def _dig(known: Known, *, ask: bool) -> None:
    """Learn the tunnel's settings, and how the door behind it knows its callers."""
    if ask and "tunnel.kind" not in known:
        ways = click.Choice(["none", *_TUNNELS])
        asked = "Tunnel for Safaricom's calls"
        known["tunnel.kind"] = click.prompt(asked, type=ways, default="none")
    kind = known.get("tunnel.kind")
    if kind not in _TUNNELS:
        return  # none, or refused with everything else that is wrong
    for key, (question, default) in _TUNNELS[kind].items():
        if ask or default is None:
            _answer(known, f"tunnel.{key}", question, default, ask=ask)
    known.setdefault("webhooks.client_ip_header", _CALLER[kind])
    if kind == "wireguard":
        usual = Wireguard.model_fields["box_address"].default
        own = known.get("tunnel.box_address", usual)
        known.setdefault("webhooks.listen", f"{own}:8081")


def _credentials(known: Known, folder: Path, password: Path | None) -> dict[str, str]:
    """Take the secrets out of what is known, and make up the rest; those that are there stay."""
    hidden = {
        f"{one.section}.{one.key}" for part in sections() for one in part.settings if one.secret
    }
    kept = {name: make() for name, make in _MADE.items()}
    kept |= {key: known.pop(key) for key in sorted(hidden & known.keys())}
    if password is not None:
        kept["router.password"] = _text(password).strip()
    kept |= {".".join(pair): value for pair, value in settings.credentials(folder).items()}
    return kept


def _nested(known: Known) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for key, value in known.items():
        section, _, name = key.partition(".")
        tables.setdefault(section, {})[name] = value
    return tables


def _file(known: Known, kept: Mapping[str, str]) -> str:
    """Return what is no secret as the settings' file: numbers as numbers, lists as lists."""
    whole = settings.checked(_nested({**known, **kept}))
    told = {section: set(values) for section, values in _nested(known).items()}
    tables = whole.model_dump(mode="json", include=told)
    return "\n".join(table(f"[{name}]", values) for name, values in tables.items())


def _router_id(seeded: str | None) -> str:
    """Return the router's name: as the seed has it, else the box's own."""
    routers = tomllib.loads(seeded or "").get("routers", [])
    if len(routers) == 1 and isinstance(routers[0].get("id"), str):
        return str(routers[0]["id"])
    return socket.gethostname().partition(".")[0][:64] or "hotspot"


def _seed(file: Path, given: Path | None, known: Known, *, ask: bool) -> str | None:
    there = file.with_name("seed.toml")
    if given is not None:
        return _text(given)
    if there.exists():
        return _text(there)
    if not ask or not click.confirm("Is there a paybill or till to sell through?", default=True):
        click.echo("No paybill yet: put one, and plans, with `appliance db seed FILE`.")
        return None
    return _asked_seed(known["daraja.environment"], known.get("router.id") or _router_id(None))


def _text(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".toml":
            tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"{file} cannot be read: {error}") from None
    return text


def _asked_seed(environment: str, router: str) -> str:
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
        ("[[routers]]", {"id": router}),
        ("[[paybills]]", {"status": "active"}),
        ("[paybills.paybillInfo]", info),
        ("[paybills.credentials]", keys),
        ("[paybills.config]", {"environment": environment}),
        ("[[plans]]", plan),
    )
    return "\n".join(table(heading, values) for heading, values in parts)
