"""All of it at once, and how checks are made."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner

from appliance.cli import cli
from appliance.cli.doctor import CHECKS
from appliance.cli.doctor.checks import Check, Finding, Skipped, Status, made, well
from appliance.domain.errors import SalesClosed
from tests.doctor.conftest import Clinic


async def test_nothing_fails_on_a_box_that_works(alive: Clinic) -> None:
    found = await alive.everything()
    assert list(found) == [check.name for check in CHECKS]
    said = [(name, one) for name, findings in found.items() for one in findings]
    assert not [line for line in said if line[1].status is Status.FAIL]
    passed = {name for name, one in said if one.status is Status.PASS}
    assert passed >= {
        "tunnel",
        "database",
        "indexes",
        "router ssh",
        "daemon",
        "ready",
        "webhooks",
        "tokens",
    }
    assert [one for name, one in said if one.status is Status.WARN and not one.fix] == []


async def test_an_empty_street_is_said_line_by_line(clinic: Clinic) -> None:
    found = await clinic.everything()
    status = {name: findings[0].status for name, findings in found.items()}
    alone = {"router", "router ssh", "daemon", "portal", "webhooks", "tokens"}
    assert {name for name, one in status.items() if one is Status.FAIL} == alone
    # Who only follows from these is left out, not blamed.
    follows = ("router state", "router set-up", "router load", "ready", "jobs")
    assert {status[name] for name in follows} == {Status.SKIP}


async def test_no_check_raises_waits_for_ever_or_changes_its_place() -> None:
    async def skips(_: None) -> list[Finding]:
        raise Skipped("nothing there")

    async def breaks(_: None) -> list[Finding]:
        raise ZeroDivisionError

    async def refuses(_: None) -> list[Finding]:
        raise SalesClosed("no account")

    async def hangs(_: None) -> list[Finding]:
        await asyncio.Event().wait()
        return []

    met = asyncio.Barrier(2)

    async def meets(_: None) -> list[Finding]:
        await met.wait()  # one alone would wait for ever: they are made side by side
        return well("met")

    table = [
        Check("hangs", hangs, longest=0.05),
        Check("skips", skips),
        Check("breaks", breaks),
        Check("refuses", refuses),
        Check("first", meets),
        Check("second", meets),
    ]
    found = {name: findings[0] for name, findings in (await made(table, None)).items()}
    assert list(found) == [check.name for check in table]
    assert found["hangs"].status is Status.FAIL
    assert found["skips"] == Finding(Status.SKIP, "nothing there")
    assert found["breaks"].status is Status.FAIL
    assert "ZeroDivisionError" in found["breaks"].what
    assert found["refuses"].what == "sales_closed: no account"
    assert found["second"] == Finding(Status.PASS, "met")


def test_settings_that_cannot_be_used_are_the_first_thing_said(tmp_path: Path) -> None:
    file = tmp_path / "appliance.toml"
    file.write_text("[router]\nhost = 5\n")
    said = CliRunner().invoke(cli, ["doctor", "--config", str(file)])
    assert said.exit_code == 1
    assert "FAIL  settings" in said.stdout
    assert "webhooks: must be set" in said.stdout
    assert "1 FAIL" in said.stdout
    as_json = CliRunner().invoke(cli, ["doctor", "--json", "--config", str(file)])
    assert as_json.exit_code == 1
    (check,) = json.loads(as_json.stdout)["checks"]
    assert (check["name"], check["status"]) == ("settings", "fail")
    assert str(file) in check["fix"]
