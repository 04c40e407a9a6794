"""A schedule: who does what and what goes wrong when; all of it from one seed."""

import json
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

LENGTH = 2.6
"""Seconds in which steps begin."""
_PLANS = ("half-hour", "hour", "hour", "day", "week")
_ANSWERS = ("pay", "pay", "pay", "pay", "cancel", "ignore", "wrong_pin")


@dataclass(frozen=True)
class Step:
    """One thing that happens; `at` in seconds from the start."""

    at: float
    do: str
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """What the world is like, and every step in it."""

    seed: int
    store: str = "sqlite"
    people: int = 2
    ssh: bool = False
    till: bool = False
    pull: bool = False
    log_level: str = "info"
    steps: tuple[Step, ...] = ()

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Schedule":
        values = json.loads(text)
        steps = tuple(Step(**step) for step in values.pop("steps"))
        return cls(**values, steps=steps)


def drawn(seed: int) -> Schedule:
    """Return the schedule of this seed."""
    chance = Random(seed)
    people = chance.choice((1, 1, 2, 2, 3))
    steps: list[Step] = []
    for who in range(people):
        steps += _life(chance, who, people)
    for _ in range(chance.choice((0, 1, 1, 2, 2, 3, 4))):
        steps += _trouble(chance, people)
    return Schedule(
        seed=seed,
        store="mongodb" if chance.random() < 0.25 else "sqlite",
        people=people,
        ssh=chance.random() < 0.15,
        till=chance.random() < 0.15,
        pull=chance.random() < 0.4,
        log_level=chance.choice(("info", "info", "debug")),
        steps=tuple(sorted(steps, key=lambda step: step.at)),
    )


def _life(chance: Random, who: int, people: int) -> list[Step]:
    """Return what one customer does."""
    steps = []
    at = chance.uniform(0, 0.8)
    for _ in range(chance.choice((1, 1, 1, 2))):
        plan, door = chance.choice(_PLANS), chance.choice(("json", "form"))
        steps.append(_step(at, "order", who=who, plan=plan, door=door))
        if chance.random() < 0.15:
            steps.append(_step(at + 0.02, "order", who=who, plan=plan, door=door))
        if chance.random() < 0.8:
            wait = chance.uniform(0, 0.3)
            steps.append(_step(at + wait, "answer", who=who, how=chance.choice(_ANSWERS)))
        at += chance.uniform(0.6, 1.6)
    for _ in range(chance.choice((0, 1, 1, 2))):
        steps.append(_errand(chance, who, people))
    return steps


def _errand(chance: Random, who: int, people: int) -> Step:
    at, other = chance.uniform(0.3, LENGTH), chance.randrange(people)
    match chance.randrange(10):
        case 0 | 1:
            to = chance.choice(("own", "own", "lower", "other", "word", "word", "wrong", "till"))
            short = chance.random() < 0.15
            plan = chance.choice(_PLANS)
            return _step(at, "pay_by_hand", who=who, to=to, plan=plan, short=short)
        case 2 | 3:
            move = chance.random() < 0.5
            return _step(at, "type_code", who=who, whose=other, move=move)
        case 4:
            return _step(at, "already_paid", who=who, whose=who)
        case 5 | 6:
            return _step(at, "roam", who=who)
        case 7:
            return _step(at, "leave", who=who)
        case 8:
            return _step(at, "revoke", who=who)
        case _:
            return _step(at, chance.choice(("resolve", "extend", "visit")), who=who)


_ROUTER = (
    {"refuse": True},
    {"hang": True},
    {"latency": 0.3},
    {"half_close": True},
    {"rubbish": True},
    {"cut_before_command": "/ip/hotspot/user/add"},
    {"cut_after_command": "/ip/hotspot/user/add"},
    {"cut_before_command": "/ip/hotspot/active/login"},
    {"cut_after_command": "/ip/hotspot/active/login"},
    {"cut_after_command": "/ip/hotspot/user/set"},
    {"trap": {"/ip/hotspot/active/login": "failure: no such item"}},
    {"refuse": True, "ssh_refuse": True},
    {"hang": True, "ssh_hang": True},
    {"license_level": 0},
)
_SAFARICOM = (
    *({"push": name} for name in ("lost_answer", "slow", "busy", "html_403", "internal")),
    *({"push": name} for name in ("empty_500", "empty_200", "invalid_token_once", "spike_arrest")),
    *({"callback": name} for name in ("never", "never", "twice", "late", "before_answer")),
    *({"callback": name} for name in ("wrong_amount", "unknown_checkout")),
    *({"callback_items": name} for name in ("four", "reordered", "java_balance")),
    *({"query": name} for name in ("flaky", "never", "errors_at_200", "in_flight_500")),
    *({"query": name} for name in ("in_flight_forever", "in_flight_forever", "spike_arrest")),
    *({"c2b": name} for name in ("before", "never", "twice", "late")),
    {"late_success": 0.8},
    {"callback": "never", "query": "in_flight_forever"},
    {"callback": "never", "c2b": "never"},
    {"validation": "on"},
)
_EVENTS = ("push", "paid", "callback", "confirmation", "user", "login", "ordered")
_PIPES = ("away", "slow", "lost_answer", "cut_answer")


def _trouble(chance: Random, people: int) -> list[Step]:
    """Return something that goes wrong."""
    at, lasts = chance.uniform(0, LENGTH), chance.choice((0.3, 0.8, 1.5, 2.5))
    off = chance.choice((0.0, 0.0, 0.4, 1.2))
    match chance.randrange(17):
        case 0:
            return [_step(at, "kill", off=off)]
        case 1 | 2:
            how = chance.choice(("kill", "kill", "power_cut"))
            return [_step(0, f"{how}_when", event=chance.choice(_EVENTS), off=off)]
        case 3:
            return [_step(at, "kill", off=0, die_at=chance.randrange(1, 60))]
        case 4:
            return [_step(at, "power_cut", off=off)]
        case 5:
            return [_step(at, "stop", off=off)]
        case 6 | 7:
            return [_step(at, "router", menu=chance.choice(_ROUTER), lasts=lasts)]
        case 8:
            how = chance.choice(("reboot", "reboot", "reset", "lose_counters"))
            return [_step(at, how, lasts=chance.choice((0.0, 0.5, 1.5)))]
        case 9 | 10:
            at = chance.choice((0.0, at))
            return [_step(at, "safaricom", menu=chance.choice(_SAFARICOM), lasts=lasts)]
        case 11:
            return [_step(at, "line", mode=chance.choice(_PIPES), lasts=lasts)]
        case 12:
            return [_step(at, "tunnel", mode=chance.choice(_PIPES), lasts=lasts)]
        case 13:
            return [_step(at, "database", mode=chance.choice(_DATABASE), lasts=lasts)]
        case 14:
            return [_clock(chance, at, lasts)]
        case 15:
            return [_step(at, "out_of_order", who=chance.randrange(people))]
        case _:
            how = chance.choice(("no_secret", "old_secret", "unknown_token", "anothers", "amount"))
            return [_step(at, "forge", who=chance.randrange(people), how=how)]


_DATABASE = (*_PIPES, "not_primary", "read_only", "full")


def _clock(chance: Random, at: float, lasts: float) -> Step:
    if chance.random() < 0.5:
        hours = chance.choice((0.2, 0.45, 0.9, 3, 30))
        return _step(at, "time_passes", seconds=hours * 3600)
    skew = chance.choice((-1.7e9, -86400.0, -600.0, 600.0, 7200.0, 4e7))
    return _step(at, "wrong_clock", skew=skew, lasts=lasts)


def _step(at: float, do: str, **args: Any) -> Step:
    return Step(round(min(at, LENGTH), 3), do, args)
