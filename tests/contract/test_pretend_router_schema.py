"""The pretend router knows no command and no argument that RouterOS 7.21.4 itself does not.

The names are those that a real device listed of itself, as the package `routeros-lsp` has them.
"""

import gzip
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pytest

from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.faults import Faults

Node = Mapping[str, Any]


@pytest.fixture(scope="module")
def schema() -> Node:
    pytest.importorskip("routeros_lsp")
    raw = files("routeros_lsp").joinpath("data", "routeros-7.21.4.json.gz").read_bytes()
    root: Node = json.loads(gzip.decompress(raw))["root"]
    return root


def at(schema: Node, path: str) -> Node:
    for part in path.strip("/").split("/"):
        schema = schema["c"][part]
    return schema


MENUS = Device(Faults()).menus


@pytest.mark.parametrize("path", sorted(MENUS))
def test_every_command_and_argument_is_one_of_the_devices(schema: Node, path: str) -> None:
    real = at(schema, path)["c"]
    for name, action in MENUS[path].actions.items():
        if not action.on_console or name == "print":
            continue
        assert name in real, f"{path} has no {name}"
        known = set(real[name].get("a", {}))
        assert action.arguments - {".id"} <= known, f"{path} {name}"


@pytest.mark.parametrize("path", sorted(MENUS))
def test_what_the_device_demands_is_taken(schema: Node, path: str) -> None:
    real = at(schema, path)["c"]
    for name, action in MENUS[path].actions.items():
        if action.on_console and name != "print":
            assert set(real[name].get("r") or ()) <= action.arguments, f"{path} {name}"
