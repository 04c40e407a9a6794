"""Hold what a box runs on to the known holes: `python -m tests.audit`; exit 1 on one.

Where the advisories cannot be reached, or know nothing of a package, that is said loudly: it is
not a pass.
"""

import json
import subprocess
import sys
from contextlib import suppress
from typing import Any

_LOCK = "requirements.lock"
_PATIENCE_SECONDS = 240
_FRAME = "!" * 78


def verdict(report: str) -> tuple[int, list[str]]:
    """Return the exit status and what to say about a report of pip-audit's; it may be empty."""
    packages: list[dict[str, Any]] = []
    with suppress(ValueError):
        packages = json.loads(report)["dependencies"]
    holes = [
        f"{package['name']} {package['version']}: {hole['id']}, mended in "
        f"{', '.join(hole['fix_versions']) or 'no version yet'}"
        for package in packages
        for hole in package.get("vulns", [])
    ]
    audited = [package for package in packages if "skip_reason" not in package]
    left_out = sorted(package["name"] for package in packages if "skip_reason" in package)
    said = [f"KNOWN HOLE {hole}" for hole in holes]
    if not audited:
        said += [_FRAME, "NOTHING WAS AUDITED: no advisories could be had here.", _FRAME]
    elif left_out:
        said += [_FRAME, f"NOT AUDITED, nobody knows of: {', '.join(left_out)}", _FRAME]
    if audited and not holes:
        said.append(f"no known hole in {len(audited)} packages")
    return (1 if holes else 0), said


def _report() -> str:
    command = [sys.executable, "-m", "pip_audit", "--requirement", _LOCK, "--disable-pip"]
    command += ["--progress-spinner", "off", "--format", "json"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


if __name__ == "__main__":
    status, lines = verdict(_report())
    print("\n".join(lines), file=sys.stderr)
    sys.exit(status)
