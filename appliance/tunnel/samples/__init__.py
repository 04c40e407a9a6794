"""The other side's files, ready to be put where their first line says."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from appliance.settings import WayIn
from appliance.settings.tunnel import Cloudflared, NoTunnel, Ssh, Wireguard

AUTHORIZED_KEYS = "authorized_keys"
CLOUDFLARED = "cloudflared.yml"
NGINX = "nginx.conf"
_FILES = {
    NoTunnel: (),
    Ssh: (AUTHORIZED_KEYS, "sshd.conf", NGINX),
    Cloudflared: (CLOUDFLARED,),
    Wireguard: ("wireguard-server.conf", "wireguard-box.conf", NGINX),
}
_SEED_PATHS = ("/api/webhooks/mpesa/callback", "/api/webhooks/mpesa")
# What comes in here was checked, sign by sign, when the settings were loaded.
_TEMPLATES = Environment(  # noqa: S701
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def rendered(known: WayIn, *, public_key: str = "", key_file: Path | None = None) -> dict[str, str]:
    """Return the text of each file that this kind of tunnel needs, by its name.

    `public_key` is the box's for SSH; `key_file` where cloudflared finds its secret.
    """
    url, door, tunnel = urlsplit(known.webhooks.public_url), known.webhooks, known.tunnel
    values = {
        "host": url.hostname,
        "port": url.port or 443,
        "log": re.sub("[^a-z0-9]", "_", f"hotspot_{url.hostname}"),
        "header": door.client_ip_header,
        "paths": _SEED_PATHS if door.seed_paths else (),
        "listen": door.listen,
        "tunnel": tunnel,
        "public_key": public_key,
        "key_file": key_file or getattr(tunnel, "key_file", None),
        "upstream": _upstream(known),
        "origin": f"unix:{door.listen[5:]}" if _is_unix(door.listen) else f"http://{door.listen}",
    }
    return {
        name: _TEMPLATES.get_template(f"{name}.j2").render(values) for name in _FILES[type(tunnel)]
    }


def _upstream(known: WayIn) -> str:
    """Return where the server finds the box's door."""
    if isinstance(known.tunnel, Ssh):
        return f"127.0.0.1:{known.tunnel.remote_port}"
    return known.webhooks.listen


def _is_unix(listen: str) -> bool:
    return listen.startswith("unix:")
