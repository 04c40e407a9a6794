"""A schedule: who does what and what goes wrong when; all of it from one seed."""

import json
from collections.abc import Callable
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
    troubles = chance.choice((0, 1, 1, 2, 2, 3, 4))
    steps += [_trouble(chance, people) for _ in range(troubles)]
    return Schedule(
        seed=seed,
        store="mongodb" if chance.random() < 0.15 else "sqlite",
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
    errands = chance.choice((0, 1, 1, 2))
    return steps + [_errand(chance, who, people) for _ in range(errands)]


def _errand(chance: Random, who: int, people: int) -> Step:
    at, other = chance.uniform(0.3, LENGTH), chance.randrange(people)
    do = chance.choice(_ERRANDS)
    more: dict[str, Any] = {}
    if do == "pay_by_hand":
        more["to"] = chance.choice(_ACCOUNTS)
        more |= {"plan": chance.choice(_PLANS), "short": chance.random() < 0.15}
    elif do == "type_code":
        more = {"whose": other, "move": chance.random() < 0.5}
    elif do == "already_paid":
        more = {"whose": who}
    return _step(at, do, who=who, **more)


_ERRANDS = (
    *("pay_by_hand", "pay_by_hand", "type_code", "type_code", "already_paid", "roam", "roam"),
    *("leave", "revoke", "resolve", "extend", "visit"),
)
_ACCOUNTS = ("own", "own", "lower", "other", "word", "word", "wrong", "till")
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


_DATABASE = (*_PIPES, "not_primary", "read_only", "full")
_FORGERIES = ("no_secret", "old_secret", "unknown_token", "anothers", "amount")


def _trouble(chance: Random, people: int) -> Step:
    """Return something that goes wrong."""
    at, lasts = chance.uniform(0, LENGTH), chance.choice((0.3, 0.8, 1.5, 2.5))
    do, pick = chance.choice(_TROUBLES), chance.choice
    off, who = pick((0.0, 0.0, 0.4, 1.2)), chance.randrange(people)
    ways: dict[str, Callable[[], dict[str, Any]]] = {
        "kill": lambda: {"off": off},
        "power_cut": lambda: {"off": off},
        "stop": lambda: {"off": off},
        "kill_when": lambda: {"event": pick(_EVENTS), "off": off},
        "power_cut_when": lambda: {"event": pick(_EVENTS), "off": off},
        "die_at": lambda: {"boundary": chance.randrange(1, 60)},
        "router": lambda: {"menu": pick(_ROUTER), "lasts": lasts},
        "reboot": lambda: {"lasts": pick((0.0, 0.5, 1.5))},
        "reset": lambda: {"lasts": pick((0.0, 0.5, 1.5))},
        "lose_counters": dict,
        "safaricom": lambda: {"menu": pick(_SAFARICOM), "lasts": lasts},
        "line": lambda: {"mode": pick(_PIPES), "lasts": lasts},
        "tunnel": lambda: {"mode": pick(_PIPES), "lasts": lasts},
        "database": lambda: {"mode": pick(_DATABASE), "lasts": lasts},
        "time_passes": lambda: {"seconds": 3600 * pick((0.2, 0.45, 0.9, 3, 30))},
        "wrong_clock": lambda: {"skew": pick(_SKEWS), "lasts": lasts},
        "out_of_order": lambda: {"who": who},
        "forge": lambda: {"who": who, "how": pick(_FORGERIES)},
    }
    from_the_start = do.endswith("_when") or (do == "safaricom" and chance.random() < 0.5)
    return _step(0.0 if from_the_start else at, do, **ways[do]())


_TROUBLES = (
    *("kill", "kill_when", "kill_when", "power_cut_when", "power_cut", "stop", "die_at"),
    *("router", "router", "reboot", "reset", "lose_counters", "safaricom", "safaricom"),
    *("line", "tunnel", "database", "time_passes", "wrong_clock", "out_of_order", "forge"),
)
_SKEWS = (-1.7e9, -86400.0, -600.0, 600.0, 7200.0, 4e7)


def _step(at: float, do: str, **args: Any) -> Step:
    return Step(round(min(at, LENGTH), 3), do, args)
