"""One logging set-up, for journald: a line an event, and nothing secret in any of them.

The code logs ids, never phones, tokens or codes. What a library or a mistake puts into a line all
the same is hidden on its way out.
"""

import logging
import re
import sys
from collections.abc import Iterable

# At DEBUG these write passwords, tokens and whole requests; httpx does at INFO too, in URLs.
_LEAKY = {
    "librouteros": logging.INFO,
    "paramiko": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "pymongo": logging.WARNING,
    "apscheduler": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
}
HIDDEN = "***"
_SHORTEST = 8
"""A shorter secret may be a word of any line."""
_SECRET = re.compile(
    r"(?<![0-9A-Za-z])(?:\+?254|0)[17]\d{8}(?![0-9A-Za-z])"  # a phone
    r"|(?<![0-9A-Za-z])[0-9a-fA-F]{32,}(?![0-9A-Za-z])"  # a token, or the secret of a path
    r"|ws_CO_\w+"  # ends with the payer's number
    r"|\b(?:Bearer|Basic) [\w+/=.-]+"
)


class Discreet(logging.Formatter):
    """Formats a record without its secrets: those of known shape, and these very words."""

    def __init__(self, form: str, secrets: Iterable[str] = ()) -> None:
        super().__init__(form)
        words = sorted({word for word in secrets if len(word) >= _SHORTEST}, key=len, reverse=True)
        self._words = re.compile("|".join(map(re.escape, words))) if words else None

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, its traceback included."""
        text = _SECRET.sub(HIDDEN, super().format(record))
        return self._words.sub(HIDDEN, text) if self._words is not None else text


def set_up(level: str, secrets: Iterable[str] = ()) -> None:
    """Log to stderr; journald adds the time."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Discreet("%(levelname)s %(name)s %(message)s", secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name, floor in _LEAKY.items():
        logging.getLogger(name).setLevel(floor)
