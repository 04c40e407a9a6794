"""The router's two clocks: seconds since it started, and a date that is wrong until NTP."""

import time
from datetime import UTC, datetime, timedelta

# Where the clock of a board without a battery starts; its time is not kept with its settings.
_BOOT_DATE = datetime(1970, 1, 2, tzinfo=UTC)


class RouterClock:
    """Real time, which tests may push forward, seen from a device that can be restarted."""

    def __init__(self, ntp_after: float = 10.0) -> None:
        self._ntp_after = ntp_after
        self._ahead = 0.0
        self._booted = time.monotonic()
        self._ever_rebooted = False
        self._off_by = timedelta()

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic() + self._ahead

    def uptime(self) -> float:
        """Return the seconds since the last start."""
        return self.monotonic() - self._booted

    def date(self) -> datetime:
        """Return the device's idea of the date: 1970 after a reboot, until NTP has answered."""
        if self._ever_rebooted and self.uptime() < self._ntp_after:
            return _BOOT_DATE + timedelta(seconds=self.uptime())
        return datetime.now(UTC) + timedelta(seconds=self._ahead) + self._off_by

    def set_date(self, moment: datetime) -> None:
        """Believe that it is now this moment."""
        self._off_by += moment - self.date()

    def pass_by(self, length: timedelta) -> None:
        """Let time go by in no time."""
        self._ahead += length.total_seconds()

    def reboot(self) -> None:
        """Start anew."""
        self._booted = self.monotonic()
        self._ever_rebooted = True
