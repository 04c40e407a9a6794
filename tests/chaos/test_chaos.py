"""Some schedules at every run; `make chaos N=10000` plays more."""

import asyncio
import json
import sys

import pytest

_SCHEDULES = 200


@pytest.mark.timeout(600)
async def test_no_promise_breaks_whatever_goes_wrong() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos", "--seed", "1", "--count", str(_SCHEDULES)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    summary = json.loads(output)
    assert summary["violations"] == []
    assert summary["schedules"] == _SCHEDULES
    assert process.returncode == 0
