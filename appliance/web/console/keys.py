"""What opens the door: the operator's password and, where one is set, a code of the moment."""

import asyncio
from dataclasses import dataclass, field

from appliance.domain.errors import Invalid, TooMany
from appliance.flows.bounds import Bounds, Rate
from appliance.ports import Clock

_EACH = Rate(10, 15 * 60.0)
# Behind a proxy everybody has one address; from many addresses it is sixty guesses an hour.
_EVERYBODY = Rate(60, 3600.0)
_STEP_SECONDS = 30
_LONGEST_CODE = 16


@dataclass(slots=True, kw_only=True)
class Keys:
    """Compares; slowly, one at a time, and not many wrong ones."""

    clock: Clock
    password_hash: str | None = field(repr=False)
    """As argon2 writes it; without one nobody comes in."""
    totp_secret: str | None = field(default=None, repr=False)
    bounds: Bounds = field(init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _used: int = field(default=-1, init=False)
    """The step of the code that was used last: none opens twice."""

    def __post_init__(self) -> None:
        self.bounds = Bounds(clock=self.clock, each=_EACH, everybody=_EVERYBODY)

    async def open(self, address: str, password: str, code: str) -> None:
        """Return when both fit; raise `Invalid` where one does not, `TooMany` after too many."""
        if self.password_hash is None:
            raise Invalid("password_unset")
        if seconds := self.bounds.take(address):
            raise TooMany(seconds, "password")
        async with self._turn:  # each takes memory and a moment of a small machine
            fits = await asyncio.to_thread(_fits, self.password_hash, password)
            # Both are looked at, so that the answer does not tell which was wrong.
            if not (self._code_fits(code, use=fits) and fits):
                raise Invalid("password_wrong", "password")
        self.bounds.give_back(address)

    def _code_fits(self, code: str, *, use: bool) -> bool:
        if self.totp_secret is None:
            return True
        from pyotp import TOTP  # noqa: PLC0415 # most boxes have none
        from pyotp.utils import strings_equal  # noqa: PLC0415

        now = int(self.clock.now().timestamp()) // _STEP_SECONDS
        totp, typed = TOTP(self.totp_secret), code.replace(" ", "")[:_LONGEST_CODE]
        for step in (now - 1, now, now + 1):
            if step > self._used and strings_equal(totp.generate_otp(step), typed):
                self._used = step if use else self._used
                return True
        return False


def _fits(password_hash: str, password: str) -> bool:
    from argon2 import PasswordHasher  # noqa: PLC0415 # only who signs in pays for it
    from argon2.exceptions import VerificationError  # noqa: PLC0415

    try:
        return PasswordHasher().verify(password_hash, password)
    except VerificationError:
        return False
