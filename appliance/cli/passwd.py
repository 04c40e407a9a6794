"""`appliance passwd`: who may sign in to the operator's console."""

import sys
from pathlib import Path

import click

from appliance import settings
from appliance.cli.running import config_option
from appliance.store.hold import written

_SHORTEST = 10
_MEMORY_KIB = 19 * 1024
"""A small box has it to spare while somebody signs in; by OWASP's advice for argon2id."""


@click.command()
@config_option
@click.option("--stdin", "piped", is_flag=True, help="Read the password from standard input.")
@click.option("--totp", is_flag=True, help="Also ask for a code of an authenticator app.")
@click.option("--no-totp", is_flag=True, help="No longer ask for a code.")
def passwd(config: Path | None, *, piped: bool, totp: bool, no_totp: bool) -> None:
    """Set the console's password; restarting the appliance signs everybody out."""
    if totp and no_totp:
        raise click.UsageError("say one of --totp and --no-totp")
    file = settings.file_of(config)
    if not file.exists():
        raise settings.WrongSettings(f"{file} is missing: name another with --config")
    folder = settings.credentials_of(file)
    password = sys.stdin.readline().rstrip("\r\n") if piped else _asked()
    if len(password) < _SHORTEST:
        raise click.UsageError(f"a password has {_SHORTEST} characters at least")
    folder.mkdir(exist_ok=True, mode=0o700)
    written(folder / "admin.password_hash", f"{_hash(password)}\n".encode(), 0o600)
    if totp:
        _enrol(folder / "admin.totp_secret")
    if no_totp:
        (folder / "admin.totp_secret").unlink(missing_ok=True)
    click.echo("Set. It holds from the next start: sudo systemctl restart hotspot-appliance")


def _asked() -> str:
    return str(click.prompt("New password", hide_input=True, confirmation_prompt=True))


def _hash(password: str) -> str:
    from argon2 import PasswordHasher  # noqa: PLC0415

    return PasswordHasher(time_cost=2, memory_cost=_MEMORY_KIB, parallelism=1).hash(password)


def _enrol(file: Path) -> None:
    import pyotp  # noqa: PLC0415
    import segno  # noqa: PLC0415

    secret = pyotp.random_base32()
    written(file, f"{secret}\n".encode(), 0o600)
    click.echo("Scan this with the authenticator app on your phone, or type the secret there:")
    address = pyotp.TOTP(secret).provisioning_uri(name="owner", issuer_name="Hotspot appliance")
    segno.make(address).terminal(out=sys.stdout, compact=True)
    click.echo(secret)
