"""Promises to let a device in again without asking: a browser's cookie, or the device's MAC."""

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Literal

from appliance.sandbox.routeros import values
from appliance.sandbox.routeros.clock import RouterClock
from appliance.sandbox.routeros.config import Config

Method = Literal["cookie", "mac-cookie"]


@dataclass(slots=True, kw_only=True)
class Cookie:
    """One promise."""

    user: str
    mac: str
    expires: float
    method: Method
    value: str = field(default_factory=lambda: secrets.token_hex(16))


class Cookies:
    """The cookies that have not run out."""

    def __init__(self, config: Config, clock: RouterClock) -> None:
        self._config = config
        self._clock = clock
        self._kept: list[Cookie] = []

    def all(self) -> list[Cookie]:
        """Return every cookie that still counts."""
        now = self._clock.monotonic()
        self._kept = [cookie for cookie in self._kept if now < cookie.expires]
        return list(self._kept)

    def issue(self, method: Method, user: str, mac: str) -> Cookie | None:
        """Return a new cookie, where the server's and the user's profile allow it."""
        found = self._config.users.named(user)
        if found is None or not self._config.logs_in_by(method):
            return None
        profile = self._config.profile_of(found[1])
        lifetime = self._config.server_profile().get("http-cookie-lifetime", "3d")
        if method == "mac-cookie":
            if profile["add-mac-cookie"] != "true":
                return None
            lifetime = profile["mac-cookie-timeout"]
        expires = self._clock.monotonic() + (values.seconds(lifetime) or 0)
        cookie = Cookie(user=user, mac=mac, expires=expires, method=method)
        self._kept.append(cookie)
        return cookie

    def of_browser(self, value: str, mac: str) -> Cookie | None:
        """Return the cookie that this device's browser shows."""
        for cookie in self.all():
            right = hmac.compare_digest(cookie.value.encode(), value.encode())
            if right and cookie.method == "cookie" and cookie.mac == mac:
                return cookie
        return None

    def of_mac(self, mac: str) -> list[Cookie]:
        """Return the mac-cookies of a device."""
        return [c for c in self.all() if c.method == "mac-cookie" and c.mac == mac]

    def forget(self, cookie: Cookie) -> None:
        """Take a cookie back."""
        self._kept.remove(cookie)

    def clear(self) -> None:
        """Take every cookie back."""
        self._kept.clear()
