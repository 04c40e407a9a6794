"""One logging set-up, for journald: a line an event, and the libraries that leak are kept quiet."""

import logging
import sys

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


def set_up(level: str) -> None:
    """Log to stderr; journald adds the time."""
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
    for name, floor in _LEAKY.items():
        logging.getLogger(name).setLevel(floor)
