"""Some schedules at every run; `make chaos N=10000` plays more."""

import asyncio
import json
import sys
from typing import Any

import pytest

_SCHEDULES = 200


async def _played(seed: int, count: int) -> dict[str, Any]:
    words = ("--seed", str(seed), "--count", str(count), "--shrink", "0")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos", *words), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    summary: dict[str, Any] = json.loads(output)
    assert summary["schedules"] == count
    assert process.returncode == (1 if summary["violations"] else 0)
    return summary


@pytest.mark.timeout(1500)
async def test_no_promise_breaks_whatever_goes_wrong() -> None:
    assert (await _played(1, _SCHEDULES))["violations"] == []
