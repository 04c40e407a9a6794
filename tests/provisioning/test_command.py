"""`appliance provision` as an operator runs it, against a router on a socket."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from appliance import app, settings
from appliance.app.provision import ByHand
from appliance.cli import cli
from appliance.domain.errors import ApplianceError, Invalid
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.sandbox.routeros.server import PretendRouter
from appliance.store.records import books
from appliance.web.console.set_up import Wanted
from provisioning.shown import NOTHING_TO_DO
from tests.provisioning.routers import a_router, exported, file_names
from tests.provisioning.scripts import imported

ADMIN = ("--admin", "admin")
SECRET = "sandbox-password-of-the-box"


@dataclass
class Operator:
    """Somebody at the keyboard, with a settings file for this router."""

    router: PretendRouter
    file: Path
    user: str = "box"
    password: str = SECRET

    async def runs(self, *words: str, code: int = 0, typed: str = "", **more: str) -> str:
        """Run `appliance provision …` and return what it prints."""
        environment = {
            "APPLIANCE_ROUTER__API_PORT": str(self.router.api_port),
            "APPLIANCE_ROUTER__USERNAME": self.user,
            "APPLIANCE_ROUTER__PASSWORD": self.password,
            "APPLIANCE_ADMIN_PASSWORD": "sandbox",
            **more,
        }
        ran = await asyncio.to_thread(
            CliRunner(env=environment).invoke,
            cli,
            ["provision", *words, "--config", str(self.file)],
            input=typed,
        )
        assert ran.exit_code == code, (ran.output, ran.exception)
        assert isinstance(ran.exception, SystemExit | ApplianceError | None), ran.exception
        if words[0] != "render":
            assert SECRET not in ran.output
        trouble = ran.exception
        return ran.output + (trouble.code if isinstance(trouble, ApplianceError) else "")


@pytest.fixture(scope="module")
def settings_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings, and a database with plans: no test changes either."""
    file, seeds = config.write(tmp_path_factory.mktemp("box"), Ports.at(0))
    words = ("db", "seed", str(seeds), "--config", str(file))
    subprocess.run(
        [sys.executable, "-m", "appliance", *words], check=True, stdout=subprocess.DEVNULL
    )
    return file


@pytest.fixture
async def operator(settings_file: Path) -> AsyncIterator[Operator]:
    async with a_router() as router:
        yield Operator(router, settings_file)


async def test_plan_apply_verify_and_remove_from_a_new_router_to_a_new_router(
    operator: Operator,
) -> None:
    device = operator.router.device
    before, files = exported(device), file_names(device)
    planned = await operator.runs("plan", *ADMIN)
    assert "  + /user box" in planned
    assert "  ~ /ip/hotspot/profile hsprof1   (was there before us: remembered)" in planned
    assert '      html-directory-override: "" → hotspot-appliance' in planned
    assert "16 to add, 4 to change, 0 to remove." in planned
    assert exported(device) == before
    assert "16 to add" in await operator.runs("verify", *ADMIN, code=1)

    assert "Done: the router is as it should be." in await operator.runs("apply", *ADMIN, "--yes")
    made = exported(device)
    assert NOTHING_TO_DO in await operator.runs("apply", *ADMIN, "--yes")
    assert exported(device) == made
    assert NOTHING_TO_DO in await operator.runs("verify")

    assert "Done: the router is as it was." in await operator.runs("remove", *ADMIN, "--yes")
    assert (exported(device), file_names(device)) == (before, files)
    assert "nothing of ours" in await operator.runs("remove", *ADMIN, "--yes")


async def test_the_console_sets_up_as_the_command_does(operator: Operator) -> None:
    loaded = await asyncio.to_thread(settings.load, operator.file)
    own = {"api_port": operator.router.api_port, "username": "box", "password": SecretStr(SECRET)}
    loaded = loaded.model_copy(update={"router": loaded.router.model_copy(update=own)})
    ann = Wanted(admin="admin", password="sandbox")
    async with app.open_store(loaded) as store:
        console = ByHand(loaded, books(store).plans)
        hopeless = await console.plan(Wanted())
        assert hopeless.hopeless
        assert "does not let box in" in hopeless.troubles[0][1]
        with pytest.raises(Invalid, match="does not let box in"):
            await console.apply(Wanted())
        planned = await console.plan(ann)
        assert (planned.steps, planned.hopeless) == (20, False)
        assert SECRET not in "".join(planned.lines)
        await console.apply(ann)
        assert (await console.plan(Wanted())).lines == (NOTHING_TO_DO,)
        wider = loaded.hotspot.model_copy(update={"free_hosts": ("bank.example.com",)})
        lets_more = replace(console, settings=loaded.model_copy(update={"hotspot": wider}))
        await lets_more.apply(ann)
        assert (await console.plan(Wanted())).steps == 1
        assert (await lets_more.plan(Wanted())).lines == (NOTHING_TO_DO,)
        with pytest.raises(Invalid, match="interface"):
            await console.plan(replace(ann, interface="x" * 65))


async def test_nothing_is_done_before_a_person_says_yes(operator: Operator) -> None:
    before = exported(operator.router.device)
    said = await operator.runs("apply", *ADMIN, typed="n\n", code=1)
    assert "Apply? [y/N]" in said
    assert exported(operator.router.device) == before
    await operator.runs("apply", *ADMIN, typed="y\n")
    made = exported(operator.router.device)
    await operator.runs("remove", *ADMIN, typed="n\n", code=1)
    assert exported(operator.router.device) == made


async def test_a_program_reads_the_plan_and_the_drift(operator: Operator) -> None:
    said: dict[str, Any] = json.loads(await operator.runs("plan", *ADMIN, "--json"))
    assert said["summary"] == {"add": 16, "change": 4, "remove": 0}
    assert said["troubles"] == []
    (garden,) = [change for change in said["changes"] if "walled-garden" in change["menu"]]
    assert garden == {
        "action": "add",
        "menu": "/ip/hotspot/walled-garden/ip",
        "name": "hotspot-appliance portal",
        "foreign": False,
        "before": {},
        "after": {
            "dst-address": "127.0.0.1",
            "protocol": "tcp",
            "dst-port": "8080",
            "action": "accept",
            "disabled": "no",
        },
    }
    await operator.runs("apply", *ADMIN, "--yes")
    operator.router.device.files.put("hotspot-appliance/login.html", "defaced")
    drift = json.loads(await operator.runs("verify", "--json", code=1))
    (change,) = drift["changes"]
    assert (change["action"], change["name"]) == ("change", "hotspot-appliance/login.html")
    assert change["before"] == {"contents": "7 bytes"}


async def test_the_account_that_the_sandbox_has_is_enough_for_everything_else(
    operator: Operator,
) -> None:
    operator.user, operator.password = "appliance", "sandbox"
    planned = await operator.runs("plan")
    assert "/user" not in planned.replace("/ip/hotspot/user", "")
    await operator.runs("apply", "--yes")
    assert NOTHING_TO_DO in await operator.runs("verify")


async def test_trouble_is_said_with_its_fix_and_nothing_is_done(operator: Operator) -> None:
    operator.router.faults.set({"device_mode": "home"})
    before = exported(operator.router.device)
    for command in (("plan",), ("verify", "--json"), ("apply", "--yes")):
        said = await operator.runs(*command, *ADMIN, code=1)
        assert "the router's device mode (home) forbids hotspots" in said
        assert "/system/device-mode/update hotspot=yes" in said
    assert exported(operator.router.device) == before


async def test_a_box_that_the_router_does_not_know_is_told_how_to_begin(
    operator: Operator,
) -> None:
    said = await operator.runs("plan", code=1)
    assert "FAIL: the router does not let box in" in said
    assert "--admin NAME" in said
    said = await operator.runs("plan", *ADMIN, code=1, APPLIANCE_ADMIN_PASSWORD="guess")
    assert "the router does not let admin in" in said


async def test_an_account_that_somebody_made_with_another_password_is_told(
    operator: Operator,
) -> None:
    users = operator.router.device.accounts.users
    users.add({"name": "box", "group": "full", "password": "theirs"})
    said = await operator.runs("apply", *ADMIN, "--yes", code=1)
    assert "does not let box in: somebody made that account" in said
    assert users.named_row("box")["password"] == "theirs"


async def test_a_router_that_is_away_is_no_drift(operator: Operator) -> None:
    operator.router.faults.set({"refuse": True})
    assert "router_away" in await operator.runs("verify", code=1)


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--server", "a\nb"),
        ("render", "--interface", ""),
        ("plan", "--no-such-option"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(settings_file: Path, words: tuple[str, ...]) -> None:
    said = CliRunner().invoke(cli, ["provision", *words, "--config", str(settings_file)])
    assert (said.exit_code, "Error: " in said.output) == (2, True)


async def test_the_script_is_written_for_its_owner_alone_and_does_what_apply_does(
    operator: Operator, tmp_path: Path
) -> None:
    operator.router.faults.set({"refuse": True})
    file = tmp_path / "hotspot.rsc"
    file.touch(mode=0o644)
    assert str(file) in await operator.runs("render", "--output", str(file))
    assert file.stat().st_mode & 0o077 == 0
    script = await operator.runs("render")
    assert script == file.read_text()
    operator.router.faults.set({})
    assert imported(operator.router.device, script) == ""
    assert NOTHING_TO_DO in await operator.runs("verify")
