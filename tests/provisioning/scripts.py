"""A script as its readers meet it: a router's import, and a checker that nobody here wrote."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from appliance.sandbox.routeros.console.kinds import Value
from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.versions import Name as VersionName
from provisioning.pages import render_pages
from tests.provisioning.routers import FULL, a_wish

_LOADED = "Script file loaded and executed successfully"


def a_device(version: VersionName = "7.21") -> Device:
    """A router off the network, but for the portal's copies of its pages."""
    return near_the_portal(Device(Faults(), version=version))


def near_the_portal(device: Device) -> Device:
    pages = render_pages(a_wish().portal_url)

    def fetch(url: str, name: str) -> None:
        device.files.put(name, pages[url.rpartition("/")[2]])

    device.fetch = fetch
    return device


def without_pages(script: str) -> str:
    return "\n".join(line for line in script.splitlines() if "/file" not in line)


def imported(device: Device, script: str, name: str = "hotspot.rsc") -> str:
    """Import as an administrator, and return what the router said if that failed."""
    device.files.put(name, script)
    said = Session(device, FULL).run(f"/import file-name={name}")
    device.files.kept.pop(name)
    return "" if _LOADED in said else said


@dataclass(slots=True)
class Overheard(Session):
    """A session that keeps what it is given as text, to be read when it is run."""

    texts: list[str] = field(default_factory=list)

    def _parsed(self, text: str) -> Value:
        self.texts.append(text)
        return Session._parsed(self, text)


def findings(script: str, folder: Path) -> list[str]:
    """What is wrong with a script, and with what it hands over as text."""
    device = a_device()
    device.files.put("hotspot.rsc", script)
    session = Overheard(device, FULL)
    session.run("/import file-name=hotspot.rsc")
    return [*checked(script, folder), *checked("\n".join(session.texts), folder)]


def checked(script: str, folder: Path) -> list[str]:
    """What `routeros-lsp` finds wrong."""
    file = folder / "checked.rsc"
    file.write_text(script, encoding="utf-8")
    words = ("check", "--strict", "--format", "json", str(file))
    ran = subprocess.run(
        [sys.executable, "-m", "routeros_lsp", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode == 0:
        return []
    return [json.dumps(found) for found in json.loads(ran.stdout)] or [ran.stdout]
