"""Everything an operator can set; a wrong value refuses to start and says what is allowed."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator

from appliance.settings.sections import (
    Admin,
    Appliance,
    Backup,
    Canary,
    Daraja,
    Door,
    Hotspot,
    Mongodb,
    Portal,
    Router,
    Sms,
    Webhooks,
)
from appliance.settings.tunnel import NoTunnel, Tunnel, check
from appliance.settings.values import parts

__all__ = [
    "Admin",
    "Appliance",
    "Backup",
    "Canary",
    "Daraja",
    "Door",
    "Hotspot",
    "Mongodb",
    "Portal",
    "Router",
    "Settings",
    "Sms",
    "WayIn",
    "Webhooks",
    "WrongSettings",
]

DEFAULT_FILE = Path("/etc/hotspot-appliance/appliance.toml")
_PREFIX = "APPLIANCE_"
_OTHER_VARIABLES = frozenset({"APPLIANCE_CONFIG"})

M = TypeVar("M", bound=BaseModel)


class WrongSettings(Exception):
    """The settings cannot be used; the text names each key and what is allowed."""


class WayIn(BaseModel):
    """What whoever keeps the tunnel may know of the settings: no secret."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    webhooks: Door
    tunnel: Tunnel = NoTunnel()

    @model_validator(mode="after")
    def _tunnel_fits_the_door(self) -> Self:
        door = self.webhooks
        check(self.tunnel, door.listen, door.public_url, door.client_ip_header)
        return self


class Settings(WayIn):
    """All of it."""

    model_config = ConfigDict(extra="forbid")

    appliance: Appliance = Appliance()
    mongodb: Mongodb = Mongodb()
    portal: Portal = Portal()
    webhooks: Webhooks
    admin: Admin = Admin()
    daraja: Daraja = Daraja()
    router: Router
    hotspot: Hotspot = Hotspot()
    backup: Backup = Backup()
    canary: Canary = Canary()
    sms: Sms = Sms()

    def secrets(self) -> list[str]:
        """Return every word of it that must never be written anywhere."""
        sections = (getattr(self, name) for name in type(self).model_fields)
        values = [value for section in sections for _, value in section]
        tables = [inner for value in values if isinstance(value, dict) for inner in value.values()]
        secrets = [value for value in (*values, *tables) if isinstance(value, SecretStr)]
        found = [secret.get_secret_value() for secret in secrets]
        uri = self.mongodb.uri
        known = None if uri is None else urlsplit(uri.get_secret_value()).password
        return [part for text in (*found, known or "") for part in parts(text)]

    @model_validator(mode="after")
    def _fit_for_real_money(self) -> Self:
        if self.daraja.environment == "production":
            if not self.webhooks.public_url.startswith("https://"):
                raise ValueError("webhooks.public_url must be https:// in production")
            if self.daraja.base_url is not None:
                raise ValueError("daraja.base_url must be left out in production")
        return self


def file_of(named: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the settings are: the file that was named, or the usual one."""
    return named or Path(environ.get("APPLIANCE_CONFIG", DEFAULT_FILE))


def credentials_of(file: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the credentials: as systemd tells, or beside the settings."""
    told = environ.get("CREDENTIALS_DIRECTORY")
    return file.parent / "credentials" if told is None else Path(told)


def load(file: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; environment over credentials over the file. Raises `WrongSettings`."""
    path = file_of(file, environ)
    values = _from_file(path)
    _overlay(values, credentials(credentials_of(path, environ)))
    _overlay(values, variables(environ))
    return checked(values)


def load_way_in(file: Path | None, environ: Mapping[str, str] = os.environ) -> WayIn:
    """Return what the tunnel needs to know, whoever may not read secrets. Raises likewise."""
    values = _from_file(file_of(file, environ))
    _overlay(values, variables(environ))
    return _as(WayIn, values)


def checked(values: Mapping[str, Any]) -> Settings:
    """Return the settings made of these tables. Raises `WrongSettings`."""
    return _as(Settings, values)


def _as(model: type[M], values: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise WrongSettings(_plain_words(error)) from None


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WrongSettings(f"{path} is missing: name another with --config") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unread(path, error) from None


def _unread(path: Path, error: Exception) -> WrongSettings:
    hint = ", try sudo" if isinstance(error, PermissionError) else ""
    return WrongSettings(f"{path} cannot be read{hint}: {error}")


def credentials(directory: Path) -> dict[tuple[str, str], str]:
    """Read files named `section.key`, as systemd's LoadCredential= puts them there.

    Of a whole folder it puts `settings_` before each name, the unit's name for the folder.
    """
    try:
        if not directory.is_dir():
            return {}
        files = {
            path.name.removeprefix("settings_"): path.read_text(encoding="utf-8").strip()
            for path in directory.iterdir()
            if path.name.count(".") == 1
        }
    except (OSError, UnicodeDecodeError) as error:
        raise _unread(directory, error) from None
    return {_pair(name, "."): value for name, value in files.items()}


def variables(environ: Mapping[str, str] = os.environ) -> dict[tuple[str, str], str]:
    """Return what the environment sets, by section and key; whether they exist is not seen.

    One that is empty sets nothing.
    """
    names = (n for n in environ if n.startswith(_PREFIX) and n not in _OTHER_VARIABLES)
    return {
        _pair(name.removeprefix(_PREFIX).lower(), "__"): environ[name]
        for name in names
        if "__" in name and environ[name]
    }


def variable(section: str, key: str) -> str:
    """Return the environment variable of a setting."""
    return f"{_PREFIX}{section}__{key}".upper()


def _pair(name: str, separator: str) -> tuple[str, str]:
    section, _, key = name.partition(separator)
    return section, key


def _overlay(values: dict[str, Any], given: Mapping[tuple[str, str], str]) -> None:
    for (section, key), value in given.items():
        table = values.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = value


def _plain_words(error: ValidationError) -> str:
    lines = []
    for found in error.errors(include_input=False, include_url=False):
        key = ".".join(_named(found["loc"]))
        message = {
            "extra_forbidden": "is not a setting of this version",
            "missing": "must be set",
            "union_tag_not_found": "kind must be set: ssh, cloudflared, wireguard or none",
            "union_tag_invalid": "kind must be ssh, cloudflared, wireguard or none",
        }.get(found["type"], found["msg"].removeprefix("Value error, "))
        lines.append(f"{key}: {message}" if key else message)
    return "\n".join(lines)


def _named(loc: tuple[int | str, ...]) -> list[str]:
    """Return the parts of a key as it is in the file: a tunnel's kind is no part of it."""
    parts = [str(part) for part in loc]
    return [parts[0], *parts[2:]] if parts[:1] == ["tunnel"] and len(parts) > 2 else parts  # noqa: PLR2004
