"""The threat model names tests: each of them is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py")]
    there = {name for text in sources for name in re.findall(r"def (test_\w+)", text)}
    assert len(named) > 40
    assert [name for name in named if name not in there] == []


def test_every_setting_that_the_threat_model_names_exists() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    settings = (ROOT / "appliance/settings/sections.py").read_text(encoding="utf-8")
    keys = re.findall(r"`(?:webhooks|daraja|admin|appliance)\.(\w+)`", text)
    assert len(keys) > 5
    assert [key for key in keys if not re.search(rf"^    {key}:", settings, re.MULTILINE)] == []
