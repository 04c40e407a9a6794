"""What is made of pip-audit's report: its own exit status is 0 where it knew nothing."""

import json
from typing import Any

import pytest

from tests.audit import verdict

GOOD = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
BAD = {
    "name": "jinja2",
    "version": "3.0.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.6"], "aliases": [], "description": "x"}],
}
UNKNOWN = {"name": "yarl", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_known_hole_fails() -> None:
    status, said = verdict(report(GOOD, BAD, UNKNOWN))
    assert status == 1
    assert said[0] == "KNOWN HOLE jinja2 3.0.0: PYSEC-1, mended in 3.1.6"


def test_no_hole_passes_and_says_how_many_were_looked_at() -> None:
    assert verdict(report(GOOD)) == (0, ["no known hole in 1 packages"])


@pytest.mark.parametrize("text", ["", "no route to host", report(), report(UNKNOWN)])
def test_where_nothing_was_audited_that_is_said_loudly(text: str) -> None:
    status, said = verdict(text)
    assert status == 0
    assert any("NOTHING WAS AUDITED" in line for line in said)
    assert not any("no known hole" in line for line in said)


def test_what_nobody_knows_of_is_named() -> None:
    _, said = verdict(report(GOOD, UNKNOWN))
    assert any("NOT AUDITED" in line and "yarl" in line for line in said)
