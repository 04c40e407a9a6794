"""`python -m tests.chaos --count 200 --seed 1` plays schedules on every core and prints JSON.

On a failure it prints the seed, what is broken, and the least schedule that still breaks it;
`--replay FILE` plays one such schedule again. Exit code 1 where a promise was broken.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos.crew import ground, played, shrunk
from tests.chaos.play import Outcome
from tests.chaos.schedule import Schedule, drawn

_SHRINK_SECONDS = 120
_MOST_SHRUNK = 2


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000 * 1000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--places", type=int, default=4, help="worlds at a time in each")
    parser.add_argument("--shrink", type=int, default=_SHRINK_SECONDS, help="seconds, 0 for not")
    parser.add_argument("--only", metavar="STEP", help="of these, those in which this is done")
    parser.add_argument("--replay", type=Path, help="a schedule as JSON, or - for standard input")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


async def _work(options: argparse.Namespace) -> None:
    """Play every so-manieth schedule and print an outcome a line."""
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # of clients that die
    first = options.seed + options.worker
    seeds = range(first, options.seed + options.count, options.jobs)
    schedules = (one for one in map(drawn, seeds) if _does(one, options.only))
    failed: list[Outcome] = []
    async with ground() as on:
        async for outcome in played(on, schedules, options.places):
            print(json.dumps(_shown(outcome)), flush=True)
            failed += [] if outcome.may_be_late else [outcome]
        for outcome in failed[: _MOST_SHRUNK if options.shrink else 0]:
            promise = outcome.violations[0].promise
            least = await shrunk(on, outcome.schedule, promise, options.shrink)
            print(json.dumps({"shrunk": least.seed, "schedule": least.as_json()}), flush=True)


def _does(schedule: Schedule, what: str | None) -> bool:
    return what is None or any(step.do == what for step in schedule.steps)


def _shown(outcome: Outcome) -> dict[str, Any]:
    return {
        "seed": outcome.schedule.seed,
        "store": outcome.schedule.store,
        "customers": outcome.schedule.people,
        "violations": [asdict(violation) for violation in outcome.violations],
        "faults": outcome.faults,
        "payments": outcome.payments,
        "orders": outcome.orders,
        "logins": outcome.logins,
        "starts": 1 + outcome.restarts,
        "deaths": outcome.deaths,
        "settled": round(outcome.settled, 2),
        "folder": str(outcome.folder),
    }


class _Sum:
    """All outcomes together."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.stores: Counter[str] = Counter()
        self.violations: list[dict[str, Any]] = []
        self.least: dict[int, Any] = {}

    def add(self, line: dict[str, Any]) -> None:
        if "shrunk" in line:
            self.least[line["shrunk"]] = json.loads(line["schedule"])
            print(f"seed {line['shrunk']}, least schedule: {line['schedule']}", file=sys.stderr)
            return
        for name in ("customers", "payments", "orders", "logins", "starts", "deaths"):
            self.counts[name] += line[name]
        self.counts["schedules"] += 1
        self.faults.update(line["faults"])
        self.stores[line["store"]] += 1
        self._broken(line)

    def _broken(self, line: dict[str, Any]) -> None:
        for violation in line["violations"]:
            self.violations.append({"seed": line["seed"], **violation, "folder": line["folder"]})
            print(f"seed {line['seed']}: {violation} in {line['folder']}", file=sys.stderr)

    def late(self) -> list[int]:
        """Return the schedules where nothing is wrong but what had only not happened yet."""
        sure = {one["seed"] for one in self.violations if not one["waits"]}
        return sorted({one["seed"] for one in self.violations} - sure)

    def again(self, line: dict[str, Any]) -> None:
        """Take what came of a late one when it was played alone for what came of it."""
        self.violations = [one for one in self.violations if one["seed"] != line["seed"]]
        self._broken(line)


async def _worker(add: Callable[[dict[str, Any]], None], **words: object) -> int:
    """Hand over each outcome of a process that plays, and return how it ended."""
    told = (str(part) for name, value in words.items() for part in (f"--{name}", value))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos", *told), stdout=asyncio.subprocess.PIPE, limit=2**20
    )
    assert process.stdout is not None
    async for line in process.stdout:
        add(json.loads(line))
    return await process.wait()


async def _all(options: argparse.Namespace) -> int:
    """Have workers play everything, and print the sum."""
    total, began = _Sum(), time.monotonic()
    shared = {
        name: getattr(options, name) for name in ("count", "seed", "jobs", "places", "shrink")
    }
    if options.only is not None:
        shared["only"] = options.only
    workers = (_worker(total.add, **shared, worker=number) for number in range(options.jobs))
    codes = await asyncio.gather(*workers)
    late = total.late()
    for seed in late:  # beside the others a machine may have been too slow for it
        alone = {"count": 1, "seed": seed, "jobs": 1, "places": 1, "shrink": 0, "worker": 0}
        codes.append(await _worker(total.again, **alone))
    seconds = time.monotonic() - began
    summary = {
        **total.counts,
        "stores": total.stores,
        "faults_injected": total.faults.total(),
        "faults": dict(total.faults.most_common()),
        "played_again": late,
        "violations": total.violations,
        "least": total.least,
        "seeds": [options.seed, options.seed + options.count - 1],
        "seconds": round(seconds, 1),
        "per_second": round(total.counts["schedules"] / seconds, 2),
    }
    print(json.dumps(summary, indent=2))
    return 1 if total.violations or any(codes) else 0


async def _replay(file: Path) -> int:
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")

    def again() -> Iterator[Schedule]:
        yield Schedule.from_json(text)

    broken = 0
    async with ground() as on:
        async for outcome in played(on, again(), 1):
            print(json.dumps(_shown(outcome), indent=2))
            broken += len(outcome.violations)
    return 1 if broken else 0


def main() -> int:
    options = _arguments()
    if options.replay is not None:
        return asyncio.run(_replay(options.replay))
    if options.worker is not None:
        asyncio.run(_work(options))
        return 0
    return asyncio.run(_all(options))


if __name__ == "__main__":
    sys.exit(main())
