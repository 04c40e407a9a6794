"""What a service of systemd's type `notify` tells its supervisor, as sd_notify(3) has it."""

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)


class Supervisor:
    """Whoever listens at `NOTIFY_SOCKET`; where nobody does, nothing is said."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A name without a file starts with NUL, which no environment can hold.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = _patience(environ) if address else None
        """How long it waits for `alive` before it kills; None where it does not wait at all."""

    def ready(self, status: str) -> None:
        """Say that the service does its work from now on."""
        self._say(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """Say that all is well."""
        self._say("WATCHDOG=1")

    def status(self, status: str) -> None:
        """Say in one line how things are."""
        self._say(f"STATUS={status}")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._say("STOPPING=1")

    def _say(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.settimeout(0)
                to.sendto(message.encode(), self._address)
        except OSError as error:
            log.warning("systemd was not told: %s", error)


def _patience(environ: Mapping[str, str]) -> float | None:
    """Return the seconds of `WATCHDOG_USEC`, unless they are another process's."""
    microseconds, meant = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    return int(microseconds) / 1_000_000 if meant in {"", str(os.getpid())} else None
