"""What names and addresses of hosts look like, as a router takes them."""

import re

_WHOLE_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.ASCII)
_SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}", re.ASCII)
_MAC = re.compile(r"(?:[0-9A-F]{2}:){5}[0-9A-F]{2}", re.ASCII)
_LONGEST_NAME = 64


def is_whole_name(text: str) -> bool:
    """Say whether this is a whole host name in lower case, without a star."""
    return _WHOLE_NAME.fullmatch(text) is not None


def is_server(text: str) -> bool:
    """Say whether this is a host's name or address."""
    return _SERVER.fullmatch(text) is not None


def is_row_name(text: str) -> bool:
    """Say whether a router would take this as the name of one of its rows."""
    return text.isprintable() and 0 < len(text) <= _LONGEST_NAME


def mac(text: str) -> str:
    """Return a MAC as the router writes it, `AA:BB:CC:DD:EE:FF`; raise `ValueError`."""
    shown = text.upper().replace("-", ":")
    if _MAC.fullmatch(shown) is None:
        raise ValueError("must be a MAC address, like 02:00:00:00:00:01")
    return shown
