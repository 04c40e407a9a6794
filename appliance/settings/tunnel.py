"""The `[tunnel]` section: how Safaricom's calls reach a box that has no public address.

Whatever is accepted here can be written as it is into a command line and the other side's files.
"""

import base64
import binascii
import re
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

KEY_FILE = Path("/etc/hotspot-appliance/tunnel/key")
_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9-]{1,63})*", re.ASCII
)
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_PATH = re.compile(r"/[A-Za-z0-9._/-]{1,99}")
_HEADER = re.compile(r"[Xx](-[A-Za-z0-9]{1,30}){1,5}")
_WIREGUARD_KEY = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")
_LOOPBACK = ("127.", "localhost:", "[::1]:")
_KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
)


def _host(value: str) -> str:
    if not _HOST.fullmatch(value.lower()):
        raise ValueError("must be a host name or an IPv4 address")
    return value.lower()


def _user(value: str) -> str:
    if not _USER.fullmatch(value):
        raise ValueError("must be the name of an account on the server, like `tunnel`")
    if value == "root":
        raise ValueError("must not be root: a tunnel needs an account that can do nothing else")
    return value


def _file(value: Path) -> Path:
    if not _PATH.fullmatch(str(value)):
        raise ValueError("must be a path like /etc/hotspot-appliance/tunnel/key, without spaces")
    return value


def public_ssh_key(value: str) -> str:
    """Return `TYPE KEY` of a line as ssh-keyscan or a `.pub` file has it. Raises `ValueError`."""
    words = value.split()
    kind = next((word for word in words[:2] if word in _KEY_TYPES), None)
    if kind is None or words[-1] == kind:
        raise ValueError(
            "must be the key itself, like `ssh-ed25519 AAAA…`, not its fingerprint: "
            "on the server, `cat /etc/ssh/ssh_host_ed25519_key.pub` prints it"
        )
    key = words[words.index(kind) + 1]
    parts = _ssh_strings(key)
    if len(parts) < 2 or parts[0] != kind.encode():  # noqa: PLR2004 # a type, and the key
        raise ValueError(f"is no whole {kind} key: copy the line once more")
    return f"{kind} {key}"


def _ssh_strings(key: str) -> list[bytes]:
    """Return the strings that a key in base64 consists of; none where one is cut short."""
    try:
        rest = base64.b64decode(key, validate=True)
    except binascii.Error:
        return []
    parts = []
    while rest:
        end = 4 + int.from_bytes(rest[:4], "big")
        if len(rest) < max(end, 5):
            return []
        parts.append(rest[4:end])
        rest = rest[end:]
    return parts


def _wireguard_key(value: str) -> str:
    if not _WIREGUARD_KEY.fullmatch(value):
        raise ValueError("must be a public key as `wg pubkey` prints it, 44 characters")
    return value


Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
WireguardKey = Annotated[str, AfterValidator(_wireguard_key)]
KeyFile = Annotated[Path, AfterValidator(_file)]


class _Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NoTunnel(_Kind):
    """The operator sees to it that calls arrive."""

    kind: Literal["none"] = "none"
    """Whatever there is passes `POST /hooks/…` on to `webhooks.listen`."""


class Ssh(_Kind):
    """A reverse forward to a server of the operator's, where nginx takes the calls."""

    kind: Literal["ssh"]
    """The unit hotspot-appliance-tunnel keeps it open."""
    host: Host
    """The server's name or IPv4 address."""
    port: Port = 22
    """Where its SSH is."""
    user: Annotated[str, AfterValidator(_user)] = "tunnel"
    """The account there, which can do nothing else; never root."""
    host_key: Annotated[str, AfterValidator(public_ssh_key)]
    """The server's key as `cat /etc/ssh/ssh_host_ed25519_key.pub` prints it there."""
    key_file: KeyFile = KEY_FILE
    """The box's key, made by `ssh-keygen`; its public half lies beside it."""
    remote_port: Annotated[int, Field(ge=1024, le=65535)] = 18081
    """On the server's loopback: nginx passes calls on to it."""


class Cloudflared(_Kind):
    """Cloudflare's tunnel."""

    kind: Literal["cloudflared"]
    """The unit hotspot-appliance-tunnel keeps it open."""
    id: UUID
    """The tunnel's, as `cloudflared tunnel create` prints it."""
    key_file: KeyFile = KEY_FILE
    """The JSON that `cloudflared tunnel create` made."""


class Wireguard(_Kind):
    """A private network with a server of the operator's; the kernel keeps it, nothing runs here."""

    kind: Literal["wireguard"]
    """`wg-quick@hotspot` keeps it open."""
    host: Host
    """The server's name or IPv4 address."""
    port: Port = 51820
    """Where its WireGuard listens."""
    public_key: WireguardKey
    """The server's."""
    box_public_key: WireguardKey
    """The box's own."""
    address: IPv4Address = IPv4Address("10.99.0.1")
    """The server's in the tunnel."""
    box_address: IPv4Address = IPv4Address("10.99.0.2")
    """The box's in the tunnel, where `webhooks.listen` must be."""


Tunnel = Annotated[NoTunnel | Ssh | Cloudflared | Wireguard, Field(discriminator="kind")]


def check(tunnel: Tunnel, listen: str, public_url: str, header: str | None) -> None:
    """Raise `ValueError`, in words, where the tunnel and the webhooks' door do not fit."""
    if isinstance(tunnel, NoTunnel):
        return
    where = f"where tunnel.kind is {tunnel.kind}"
    url = urlsplit(public_url)
    if url.scheme != "https":
        raise ValueError(f"webhooks.public_url must be https:// {where}")
    if url.path or url.username is not None:
        raise ValueError(f"webhooks.public_url must be https://HOST without a path {where}")
    if not _HOST.fullmatch(url.hostname or ""):
        raise ValueError(f"webhooks.public_url must name a host {where}")
    _check_listen(tunnel, listen, where)
    if isinstance(tunnel, Cloudflared):
        if header is None or header.lower() != "cf-connecting-ip":
            raise ValueError(
                f'webhooks.client_ip_header must be "CF-Connecting-IP" {where}: '
                "X-Forwarded-For holds what the caller wrote into it"
            )
    elif header is None or not _HEADER.fullmatch(header):
        raise ValueError(
            f'webhooks.client_ip_header must be set {where}, to a header like "X-Real-IP" that '
            "nginx on the server overwrites: else every call seems to come from the tunnel"
        )


def _check_listen(tunnel: Ssh | Cloudflared | Wireguard, listen: str, where: str) -> None:
    if isinstance(tunnel, Wireguard):
        if listen.rpartition(":")[0] != str(tunnel.box_address):
            raise ValueError(f"webhooks.listen must be {tunnel.box_address}:PORT {where}")
        if tunnel.address == tunnel.box_address:
            raise ValueError("tunnel.address and tunnel.box_address must be two")
    elif listen.startswith("unix:"):
        if not _PATH.fullmatch(listen.removeprefix("unix:")):
            raise ValueError(f"webhooks.listen must be a path without spaces {where}")
    elif not listen.startswith(_LOOPBACK) or not re.fullmatch(r"[a-z0-9.:\[\]]+", listen):
        raise ValueError(
            f"webhooks.listen must be 127.0.0.1:PORT or unix:/path {where}: "
            "the tunnel ends on the box itself, and nobody else may knock there"
        )
