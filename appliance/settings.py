"""Everything an operator can set; a wrong value refuses to start and says what is allowed."""

import os
import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from appliance.tunnel_settings import NoTunnel, Tunnel, check

DEFAULT_FILE = Path("/etc/hotspot-appliance/appliance.toml")
_PREFIX = "APPLIANCE_"
_OTHER_VARIABLES = frozenset({"APPLIANCE_CONFIG"})
_FORBIDDEN_IN_CALLBACKS = re.compile("m-?pesa|safaricom|exec?|cmd|sql|query", re.IGNORECASE)
_UNFIT = frozenset("\"'<>$() \\")  # the router's pages cannot escape them
_FERNET_KEY = re.compile("[A-Za-z0-9_-]{43}=", re.ASCII)
_SHA256_IN_HEX = re.compile("[0-9a-f]{64}")
_HOST_KEY = re.compile("SHA256:[A-Za-z0-9+/]{43}", re.ASCII)
_SECRET_PATH = re.compile("[0-9a-f]{32,128}")


M = TypeVar("M", bound=BaseModel)


class WrongSettings(Exception):
    """The settings cannot be used; the text names each key and what is allowed."""


def _listen(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if value.startswith("unix:/"):
        return value
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError("must be HOST:PORT, or unix:/path/to/socket")
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ValueError("must be an http:// or https:// address without a query")
    if not value.isascii() or not value.isprintable() or _UNFIT & set(value):
        raise ValueError("may not hold quotes, spaces or $()")
    return value.rstrip("/")


def _callback_address(value: str) -> str:
    address = _web_address(value)
    if address != address.lower():
        raise ValueError("must be in lower case: Safaricom has refused others")
    if _FORBIDDEN_IN_CALLBACKS.search(address):
        raise ValueError("must not contain mpesa, safaricom, exe, exec, cmd, sql or query")
    return address


def _hex_secret(value: SecretStr) -> SecretStr:
    if not _SECRET_PATH.fullmatch(value.get_secret_value()):
        raise ValueError("must be 32 to 128 hex digits, lower case: try `openssl rand -hex 16`")
    return value


def _hex_secrets(value: SecretStr) -> SecretStr:
    for secret in value.get_secret_value().split(","):
        _hex_secret(SecretStr(secret.strip()))
    return value


def _listed(value: Any) -> Any:
    """Return a list that an environment variable can hold too."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _addresses(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            ip_network(value)
        except ValueError:
            raise ValueError("must be IP addresses, or networks like 196.201.212.0/24") from None
    return values


def _fernet_keys(value: SecretStr) -> SecretStr:
    for key in value.get_secret_value().split(","):
        if not _FERNET_KEY.fullmatch(key.strip()):
            raise ValueError(
                "must be keys of 32 bytes in URL-safe base64, comma-separated: "
                "try `openssl rand -base64 32 | tr +/ -_`"
            )
    return value


def _certificate(value: str) -> str:
    shown = value.lower().replace(":", "").replace(" ", "")
    if not _SHA256_IN_HEX.fullmatch(shown):
        raise ValueError("must be the SHA-256 of the router's certificate, 64 hex digits")
    return shown


def _host_key(value: str) -> str:
    shown = value.rstrip("=")
    if not _HOST_KEY.fullmatch(shown):
        raise ValueError("must be SHA256:... as `ssh-keyscan ROUTER | ssh-keygen -lf -` prints it")
    return shown


def _private_key(value: SecretStr) -> SecretStr:
    """Return the key itself, whether it is given or the file that it is in."""
    from appliance.router.line import private_key  # noqa: PLC0415 # only who has a key pays for it

    text = value.get_secret_value()
    if not text.startswith("-----BEGIN "):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot be read: {type(error).__name__}") from None
    try:
        private_key(text)
    except ValueError as error:
        raise ValueError(f"holds {error}") from None
    return SecretStr(text)


Listen = Annotated[str, AfterValidator(_listen)]
Addresses = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_addresses)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Appliance(_Section):
    """The box itself."""

    name: str = "hotspot"
    data_dir: Path = Path("/var/lib/hotspot-appliance")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    encryption_keys: Annotated[SecretStr, AfterValidator(_fernet_keys)] | None = None
    """Seal paybill secrets at rest: comma-separated, the first seals, each opens."""
    clock: Literal["checked", "trusted"] = "checked"
    """Nothing expires before a time server was heard; `trusted` where the host keeps the time."""


class Mongodb(_Section):
    """The shared database; without a URI the box keeps its data in SQLite."""

    uri: SecretStr | None = None
    database: str = Field(default="mikrotik_billing", pattern=r"^[A-Za-z0-9_-]{1,63}$")


class Portal(_Section):
    """The customers' door."""

    listen: Listen = "0.0.0.0:8080"  # hotspot customers come from the LAN
    public_url: WebAddress = "http://127.0.0.1:8080"
    templates_dir: Path | None = None
    brand: str = Field(default="Wi-Fi", min_length=1, max_length=40)
    support_phone: str = Field(default="", max_length=20)
    default_language: Literal["en", "sw"] = "en"


class Door(BaseModel):
    """Safaricom's door, as far as it is no secret."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    listen: Listen = "127.0.0.1:8081"
    public_url: Annotated[str, AfterValidator(_callback_address)]
    seed_paths: bool = False
    client_ip_header: str | None = None


class Webhooks(Door):
    """Safaricom's door."""

    model_config = ConfigDict(extra="forbid")
    path_secret: Annotated[SecretStr, AfterValidator(_hex_secret)]
    previous_path_secrets: Annotated[SecretStr, AfterValidator(_hex_secrets)] | None = None
    """Comma-separated, after a change: payments asked for before are still called back there."""
    allowed_ips: Annotated[
        tuple[str, ...], BeforeValidator(_listed), AfterValidator(_addresses)
    ] = ()
    """Safaricom's addresses or networks; without any, those known to this version."""
    enforce_ips: bool = False
    """Turn away everybody else; else it is only written down where a call came from."""

    @model_validator(mode="after")
    def _callers_are_seen(self) -> Self:
        behind_a_tunnel = self.listen.startswith(("unix:", "127.", "localhost:", "[::1]:"))
        if self.enforce_ips and behind_a_tunnel and not self.client_ip_header:
            raise ValueError("client_ip_header must be set where enforce_ips is")
        return self


class Admin(_Section):
    """The operator's door."""

    listen: Listen = "127.0.0.1:8082"
    cron_secret: SecretStr | None = Field(default=None, min_length=16, max_length=128)
    """What an outer cron shows to have tokens refreshed; without one it is not let in."""


class Daraja(_Section):
    """Safaricom's API; only paybills of this environment are sold through.

    `base_url` is for a pretend Safaricom.
    """

    environment: Literal["sandbox", "production"] = "sandbox"
    base_url: WebAddress | None = None
    c2b_version: Literal["v1", "v2"] = "v2"
    connect_timeout: float = Field(default=10, gt=0, le=60)
    read_timeout: float = Field(default=30, gt=0, le=120)
    prompts_per_minute: int = Field(default=120, gt=0)
    """Of all customers together; Safaricom does not say how many it takes."""


class Router(_Section):
    """The router beside the box; SSH is used where its host key is pinned, when the API is out."""

    id: str = Field(default="router", min_length=1, max_length=64)
    host: str
    username: str = "appliance"
    password: SecretStr
    api_port: int = Field(default=8728, gt=0, lt=65536)
    api_tls: Literal["off", "pinned", "anonymous"] = "off"
    api_fingerprint: Annotated[str, AfterValidator(_certificate)] | None = None
    ssh_port: int = Field(default=22, gt=0, lt=65536)
    ssh_fingerprint: Annotated[str, AfterValidator(_host_key)] | None = None
    ssh_key: Annotated[SecretStr, AfterValidator(_private_key)] | None = None
    """Signs in over SSH instead of the password: a file, or what is in it."""
    timeout: float = Field(default=5, gt=0, le=60)

    @model_validator(mode="before")
    @classmethod
    def _usual_port(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("api_tls", "off") != "off":
            return {"api_port": 8729, **values}
        return values

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if (self.api_tls == "pinned") != (self.api_fingerprint is not None):
            raise ValueError("api_fingerprint goes with api_tls = pinned, and must be set there")
        told = self.model_fields_set & {"ssh_port", "ssh_key"}
        if told and self.ssh_fingerprint is None:
            raise ValueError(f"ssh_fingerprint must be set where {min(told)} is")
        return self


class Backup(_Section):
    """The daily backup; without a directory there is none by itself."""

    directory: Path | None = None
    keep: int = Field(default=7, ge=1, le=365)
    key: SecretStr | None = Field(default=None, min_length=16)
    """Seals every backup; whoever loses it has none. A passphrase may be it as well."""

    @model_validator(mode="after")
    def _sealed(self) -> Self:
        if self.directory is not None and self.key is None:
            raise ValueError("key must be set where directory is: try `openssl rand -hex 32`")
        return self


class Canary(_Section):
    """A voucher for nobody, put on the router and taken back, to see that sales would work."""

    every: int | None = Field(default=None, ge=5, le=1440)
    """Minutes; without it none is sent by itself."""


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
    backup: Backup = Backup()
    canary: Canary = Canary()

    def secrets(self) -> list[str]:
        """Return every word of it that must never be written anywhere."""
        sections = (getattr(self, name) for name in type(self).model_fields)
        values = [value for section in sections for _, value in section]
        found = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        uri = self.mongodb.uri
        known = None if uri is None else urlsplit(uri.get_secret_value()).password
        return [part.strip() for text in (*found, known or "") for part in text.split(",")]

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
    _overlay(values, _credentials(credentials_of(path, environ)))
    _overlay(values, _variables(environ))
    return checked(values)


def load_way_in(file: Path | None, environ: Mapping[str, str] = os.environ) -> WayIn:
    """Return what the tunnel needs to know, whoever may not read secrets. Raises likewise."""
    values = _from_file(file_of(file, environ))
    _overlay(values, _variables(environ))
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
        raise WrongSettings(f"{path} cannot be read: {error}") from None


def _credentials(directory: Path) -> dict[tuple[str, str], str]:
    """Read files named `section.key`, as systemd's LoadCredential= puts them there.

    Of a whole folder it puts `settings_` before each name, the unit's name for the folder.
    """
    if not directory.is_dir():
        return {}
    try:
        files = {
            path.name.removeprefix("settings_"): path.read_text(encoding="utf-8").strip()
            for path in directory.iterdir()
            if path.name.count(".") == 1
        }
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSettings(f"{directory} cannot be read, try sudo: {error}") from None
    return {_pair(name, "."): value for name, value in files.items()}


def _variables(environ: Mapping[str, str]) -> dict[tuple[str, str], str]:
    names = (n for n in environ if n.startswith(_PREFIX) and n not in _OTHER_VARIABLES)
    return {
        _pair(name.removeprefix(_PREFIX).lower(), "__"): environ[name]
        for name in names
        if "__" in name
    }


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
