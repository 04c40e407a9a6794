"""What a single value must look like; what is wrong is said as what is allowed."""

import re
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, SecretStr

from appliance.domain import colours, hosts, logos, phones
from appliance.domain.errors import Invalid

_FORBIDDEN_IN_CALLBACKS = re.compile("m-?pesa|safaricom|exec?|cmd|sql|query", re.IGNORECASE)
_UNFIT = frozenset("\"'<>$() \\")  # the router's pages cannot escape them
_FERNET_KEY = re.compile("[A-Za-z0-9_-]{43}=", re.ASCII)
_SHA256_IN_HEX = re.compile("[0-9a-f]{64}")
_HOST_KEY = re.compile("SHA256:[A-Za-z0-9+/]{43}", re.ASCII)
_ARGON2 = re.compile(
    r"\$argon2id?\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+", re.ASCII
)
_BASE32 = re.compile("[A-Z2-7]{24,128}")
_HEADER = re.compile("[A-Za-z0-9-]+", re.ASCII)
_SECRET_PATH = re.compile("[0-9a-f]{32,128}")


def parts(text: str) -> tuple[str, ...]:
    """Return what a text lists, comma-separated."""
    return tuple(part.strip() for part in text.split(","))


def listen(value: str) -> str:
    """Return where to listen: HOST:PORT, or a unix socket."""
    host, colon, port = value.rpartition(":")
    if value.startswith("unix:/"):
        return value
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError("must be HOST:PORT, or unix:/path/to/socket")
    return value


def web_address(value: str) -> str:
    """Return an address that the pages may name, without a slash at its end."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ValueError("must be an http:// or https:// address without a query")
    if not value.isascii() or not value.isprintable() or _UNFIT & set(value):
        raise ValueError("may not hold quotes, spaces or $()")
    return value.rstrip("/")


def callback_address(value: str) -> str:
    """Return an address that Safaricom takes."""
    address = web_address(value)
    if address != address.lower():
        raise ValueError("must be in lower case: Safaricom has refused others")
    if _FORBIDDEN_IN_CALLBACKS.search(address):
        raise ValueError("must not contain mpesa, safaricom, exe, exec, cmd, sql or query")
    return address


def picture(value: Path) -> Path:
    """Return the file of a picture that pages can carry."""
    try:
        content = value.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {type(error).__name__}") from None
    logos.data_uri(content)
    return value


def argon2_hash(value: SecretStr) -> SecretStr:
    """Return what a password is compared with."""
    if not _ARGON2.fullmatch(value.get_secret_value()):
        raise ValueError("must be what `appliance passwd` writes: $argon2id$v=19$...")
    return value


def base32_secret(value: SecretStr) -> SecretStr:
    """Return what an authenticator makes its codes of."""
    if not _BASE32.fullmatch(value.get_secret_value()):
        raise ValueError("must be 24 or more letters A-Z and digits 2-7: try `appliance passwd`")
    return value


def hex_secret(value: SecretStr) -> SecretStr:
    """Return a secret that may stand in a path."""
    if not _SECRET_PATH.fullmatch(value.get_secret_value()):
        raise ValueError("must be 32 to 128 hex digits, lower case: try `openssl rand -hex 16`")
    return value


def hex_secrets(value: SecretStr) -> SecretStr:
    """Return several of them, comma-separated."""
    for secret in parts(value.get_secret_value()):
        hex_secret(SecretStr(secret))
    return value


def listed(value: Any) -> Any:
    """Return a list that an environment variable can hold too."""
    return parts(value) if isinstance(value, str) else value


def addresses(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return addresses and networks."""
    for value in values:
        try:
            ip_network(value)
        except ValueError:
            raise ValueError("must be IP addresses, or networks like 196.201.212.0/24") from None
    return values


def host_name(value: str) -> str:
    """Return a whole host name."""
    if not hosts.is_whole_name(value):
        raise ValueError("must be whole host names in lower case, without a star")
    return value


def server(value: str) -> str:
    """Return a host's name or address."""
    if not hosts.is_server(value):
        raise ValueError("must be a host name or an address")
    return value


def row_name(value: str) -> str:
    """Return the name of something on the router."""
    if not hosts.is_row_name(value):
        raise ValueError("must be a name that the router would take")
    return value


def fernet_keys(value: SecretStr) -> SecretStr:
    """Return the keys that seal, comma-separated."""
    for key in parts(value.get_secret_value()):
        if not _FERNET_KEY.fullmatch(key):
            raise ValueError(
                "must be keys of 32 bytes in URL-safe base64, comma-separated: "
                "try `openssl rand -base64 32 | tr +/ -_`"
            )
    return value


def numbers(value: SecretStr) -> SecretStr:
    """Return phone numbers in the form that is dialled, comma-separated."""
    try:
        return SecretStr(",".join(map(phones.normalise, parts(value.get_secret_value()))))
    except Invalid:
        raise ValueError("must be Kenyan mobile numbers, comma-separated: 0712345678") from None


def headers(value: Any) -> Any:
    """Return a table of headers that an environment variable can hold too, one a line."""
    if not isinstance(value, str):
        return value
    named = (line.partition(":") for line in value.splitlines() if line.strip())
    return {name.strip(): content.strip() for name, _, content in named}


def sendable(value: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Return headers that can be sent."""
    for name, content in value.items():
        shown = content.get_secret_value()
        if not _HEADER.fullmatch(name) or not (shown.isascii() and shown.isprintable()):
            raise ValueError("must be names and values in plain characters")
    return value


def certificate(value: str) -> str:
    """Return a fingerprint in lower case, without colons."""
    shown = value.lower().replace(":", "").replace(" ", "")
    if not _SHA256_IN_HEX.fullmatch(shown):
        raise ValueError("must be the SHA-256 of the router's certificate, 64 hex digits")
    return shown


def host_key(value: str) -> str:
    """Return a fingerprint as OpenSSH prints it."""
    shown = value.rstrip("=")
    if not _HOST_KEY.fullmatch(shown):
        raise ValueError("must be SHA256:... as `ssh-keyscan ROUTER | ssh-keygen -lf -` prints it")
    return shown


def private_key(value: SecretStr) -> SecretStr:
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


Listen = Annotated[str, AfterValidator(listen)]
Addresses = Annotated[tuple[str, ...], BeforeValidator(listed), AfterValidator(addresses)]
HostNames = Annotated[
    tuple[Annotated[str, AfterValidator(host_name)], ...], BeforeValidator(listed)
]
Server = Annotated[str, AfterValidator(server)]
RowName = Annotated[str, AfterValidator(row_name)]
MacAddress = Annotated[str, AfterValidator(hosts.mac)]
Colour = Annotated[str, AfterValidator(colours.colour)]
Picture = Annotated[Path, AfterValidator(picture)]
Headers = Annotated[dict[str, SecretStr], BeforeValidator(headers), AfterValidator(sendable)]
Money = Annotated[Decimal, PlainSerializer(float, when_used="json")]
WebAddress = Annotated[str, AfterValidator(web_address)]
