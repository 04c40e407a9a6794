"""The form of a plan: times, data and speeds as people say them."""

from collections.abc import Mapping
from datetime import timedelta

from appliance.domain.errors import Invalid
from appliance.domain.plans import ClockKind, Plan

TIMES = {"minutes": 60, "hours": 3_600, "days": 86_400, "weeks": 604_800}
DATA = {"MB": 10**6, "GB": 10**9}
# Only shown where a plan has been written down with them.
_OTHER_TIMES = {"seconds": 1}
_OTHER_DATA = {"bytes": 1, "MiB": 2**20, "GiB": 2**30}
_MOST_DIGITS = 15

USUAL = {
    "name": "",
    "price": "",
    "time": "",
    "timeUnit": "hours",
    "data": "",
    "dataUnit": "MB",
    "up": "",
    "down": "",
    "burst": "",
    "devices": "1",
    "clock": "wall",
    "order": "0",
    "accountWord": "",
    "active": "on",
}
"""What stands in the form of a new one."""
_PLACES = {"durationSeconds": "time", "dataLimitBytes": "data", "rateLimit": "down"}


def place_of(field: str) -> str:
    """Return where in the form something of this name is written."""
    return _PLACES.get(field, field)


def written(plan: Plan) -> dict[str, str]:
    """Return what stands in the form of a plan that there is."""
    time, time_unit = _parted(int(plan.duration.total_seconds()), _OTHER_TIMES | TIMES)
    data, data_unit = "", USUAL["dataUnit"]
    if plan.data_limit_bytes is not None:
        data, data_unit = _parted(plan.data_limit_bytes, _OTHER_DATA | DATA)
    speeds, _, burst = (plan.rate_limit or "").partition(" ")
    up, _, down = speeds.partition("/")
    return {
        "name": plan.name,
        "price": str(plan.price),
        "time": time,
        "timeUnit": time_unit,
        "data": data,
        "dataUnit": data_unit,
        "up": up,
        "down": down or up,
        "burst": burst,
        "devices": str(plan.devices),
        "clock": str(plan.clock),
        "order": str(plan.order),
        "accountWord": plan.account_word or "",
        "active": "on" if plan.active else "",
    }


def units(usual: Mapping[str, int], chosen: str) -> list[tuple[str, str]]:
    """Return the units to choose from, and the one in use where that is another."""
    names = [*usual, *(() if chosen in usual else (chosen,))]
    return [(name, name) for name in names]


def plan_of(form: Mapping[str, str]) -> Plan:
    """Return the plan that was written, without an id; raise `Invalid` for what is no number."""

    def text(name: str) -> str:
        return form.get(name, "").strip()

    data = _number(form, "data", empty=None)
    clock = text("clock")
    if clock not in set(ClockKind):
        raise Invalid("choose how its time runs", "clock")
    return Plan(
        id="",
        name=text("name"),
        price=_number(form, "price") or 0,
        duration=_time(_number(form, "time") or 0, text("timeUnit")),
        data_limit_bytes=None if data is None else data * _unit(DATA | _OTHER_DATA, form, "data"),
        rate_limit=_speed(text("up"), text("down"), text("burst")),
        devices=_number(form, "devices", empty=1) or 0,
        clock=ClockKind(clock),
        order=_number(form, "order", empty=0) or 0,
        active=bool(text("active")),
        account_word=text("accountWord") or None,
    )


def _time(count: int, unit: str) -> timedelta:
    try:
        return timedelta(seconds=count * _unit(TIMES | _OTHER_TIMES, {"timeUnit": unit}, "time"))
    except OverflowError:
        raise Invalid("this is too long", "time") from None


def _unit(sizes: Mapping[str, int], form: Mapping[str, str], name: str) -> int:
    size = sizes.get(form.get(f"{name}Unit", "").strip())
    if size is None:
        raise Invalid("choose a unit", name)
    return size


def _number(form: Mapping[str, str], name: str, *, empty: int | None = -1) -> int | None:
    """Return a whole number; where nothing is written and nothing stands for it, raise."""
    text = form.get(name, "").strip().replace(",", "")
    if not text and empty != -1:
        return empty
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise Invalid("write a whole number", name)
    return int(text)


def _speed(up: str, down: str, burst: str) -> str | None:
    if not up and not down:
        return None
    if not up or not down:
        raise Invalid("write both speeds, or neither", "down" if up else "up")
    return f"{up}/{down} {burst}".strip()


def _parted(amount: int, sizes: Mapping[str, int]) -> tuple[str, str]:
    """Return a count and the largest unit that holds it in whole numbers."""
    name = max((name for name in sizes if amount % sizes[name] == 0), key=sizes.__getitem__)
    return str(amount // sizes[name]), name
