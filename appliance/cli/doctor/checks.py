"""What a check is, and how all of them are made: side by side, each bounded, none raising."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from appliance.domain.errors import ApplianceError

log = logging.getLogger(__name__)

LONGEST_SECONDS = 10.0
T = TypeVar("T")


class Status(StrEnum):
    """How it stands."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line in plain words; `fix` says what mends it, with the command to run."""

    status: Status
    what: str
    fix: str = ""


class Skipped(Exception):
    """There is nothing to look at; the text says why."""


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """One small function under a name; it may return as many findings as it likes."""

    name: str
    look: Callable[[T], Awaitable[list[Finding]]]
    longest: float = LONGEST_SECONDS


def well(what: str) -> list[Finding]:
    """Return that all is as it should be."""
    return [Finding(Status.PASS, what)]


def warn(what: str, fix: str) -> list[Finding]:
    """Return what a person should know."""
    return [Finding(Status.WARN, what, fix)]


def fail(what: str, fix: str) -> list[Finding]:
    """Return what keeps the box from selling or delivering."""
    return [Finding(Status.FAIL, what, fix)]


def in_a_thread(look: Callable[[T], list[Finding]]) -> Callable[[T], Awaitable[list[Finding]]]:
    """Return a check of files and the like, which would keep the others waiting."""

    async def looked(about: T) -> list[Finding]:
        return await asyncio.to_thread(look, about)

    return looked


async def made(checks: Iterable[Check[T]], about: T) -> dict[str, list[Finding]]:
    """Return what every check found, in the order of the table."""
    table = list(checks)
    found = await asyncio.gather(*(_one(check, about) for check in table))
    return {check.name: findings for check, findings in zip(table, found, strict=True)}


async def _one(check: Check[T], about: T) -> list[Finding]:
    try:
        async with asyncio.timeout(check.longest):
            return await check.look(about)
    except Skipped as why:
        return [Finding(Status.SKIP, str(why))]
    except TimeoutError:
        return fail(
            f"there is no answer within {check.longest:.0f} s",
            "run appliance doctor again; if it stays so: journalctl -u hotspot-appliance -n 50",
        )
    except ApplianceError as error:
        return fail(f"{error.code}: {error}", "journalctl -u hotspot-appliance -n 50")
    except Exception as error:
        log.exception("the check broke off name=%s", check.name)
        return fail(
            f"the check itself broke off ({type(error).__name__})",
            "this is a fault of the doctor: please report it with what it printed",
        )
