"""What the judge says about time: promises 6 and 7."""

from collections import defaultdict

from tests.chaos.case import Case, Violation
from tests.chaos.documents import Document
from tests.chaos.record import Seen

_SLACK = 8.0
"""Seconds that a busy machine may be late."""
_ROUTER_SLACK = 60.0
"""A limit less than a minute off is no reason to write to the router's flash."""


def _sold(case: Case, voucher: Document) -> float:
    return _plan(voucher) + case.record.extended[voucher["code"]]


def vouchers_of(case: Case) -> dict[str, Document]:
    return {one["code"]: one for one in case.documents.vouchers.values()}


def time_starts_with_delivery(case: Case) -> list[Violation]:
    """Promise 6: all of it is there at the first login, and later all but what went by."""
    first: dict[str, Seen] = {}
    for login in case.record.logins:
        first.setdefault(login.user, login)
    vouchers = {code: one for code, one in vouchers_of(case).items() if code in first}
    return [
        *_whole_at_first(vouchers, first),
        *_left_by_the_portal(case, vouchers, first),
        *_left_by_the_router(case, vouchers, first),
    ]


def _whole_at_first(vouchers: dict[str, Document], first: dict[str, Seen]) -> list[Violation]:
    found = []
    for code, voucher in vouchers.items():
        login, sold = first[code], _plan(voucher)
        if login.limit is None or login.limit - login.used_before < sold - _SLACK:
            found.append(Violation(6, f"{code} was let in for {login.limit} of {sold} s"))
    return found


def _left_by_the_portal(
    case: Case, vouchers: dict[str, Document], first: dict[str, Seen]
) -> list[Violation]:
    found = []
    for code, voucher in vouchers.items():
        at, seconds = case.record.left.get(voucher["token"], (0.0, None))
        least = _plan(voucher) - (at - first[code].at)
        if seconds is not None and seconds < least - _SLACK and not case.record.jumped:
            found.append(Violation(6, f"{code} has {seconds} s left, not {least:.0f}"))
    return found


def _left_by_the_router(
    case: Case, vouchers: dict[str, Document], first: dict[str, Seen]
) -> list[Violation]:
    found = []
    for code, ends in case.online.values():
        if code not in vouchers or ends is None:
            continue
        left, least = ends - case.now, _plan(vouchers[code]) - (case.now - first[code].at)
        if left < least - _SLACK - _ROUTER_SLACK:
            text = f"the router gives {code} {left:.0f} s, not {least:.0f}"
            found.append(Violation(6, text, waits=True))
    return found


def _plan(voucher: Document) -> float:
    return float(voucher["plan"]["durationSeconds"])


def no_more_than_sold(case: Case) -> list[Violation]:
    """Promise 7: no device is connected for longer, but for what the router forgot of it."""
    found, vouchers = [], vouchers_of(case)
    stayed: defaultdict[tuple[str, str], float] = defaultdict(float)
    for stay in case.stays:
        stayed[stay.user, stay.mac] += stay.ended - stay.began
    for (user, mac), seconds in stayed.items():
        if user not in vouchers:
            continue
        most = _sold(case, vouchers[user]) + case.record.forgotten[user]
        if seconds > most + _SLACK + _ROUTER_SLACK:
            found.append(Violation(7, f"{mac} was in for {seconds:.0f} s with {user} of {most} s"))
    # Whoever dies at a login may never hear of it: then a later one starts the time.
    died_there = {"kill_when_login", "power_cut_when_login"} & case.record.faults.keys()
    logins = case.record.logins if died_there else reversed(case.record.logins)
    first = {login.user: login.at for login in logins}
    for mac, (user, _) in case.online.items():
        if user in vouchers and case.now - first[user] > _sold(case, vouchers[user]) + _SLACK:
            found.append(Violation(7, f"{mac} is still in with {user}", waits=True))
    return found
