"""`make bench`: rates as ratios to the bare limit of the same run, and the box's cost, as JSON."""

import asyncio
import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench import cost, gate, plans, portal, sales, scale
from tests.servers import Secantus

PARTS = {"plans": plans, "sales": sales, "portal": portal, "cost": cost, "scale": scale}


async def measure(mongodb: str | None, folder: Path) -> dict[str, Any]:
    """Return the figures for one store: of the parts that are named, else of all but `scale`."""
    named = [name for name in PARTS if f"--{name}" in sys.argv]
    parts = named or [name for name in PARTS if name != "scale"]
    return {name: await PARTS[name].measure(mongodb, folder / name) for name in parts}


def main() -> None:
    """Measure on SQLite unless told not to, and on the MongoDB stand-in where asked for."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        found: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
        if "--no-sqlite" not in sys.argv:
            found["sqlite"] = asyncio.run(measure(None, folder / "sqlite"))
            if not any(f"--{name}" in sys.argv for name in PARTS):
                found["router"] = asyncio.run(gate.measure(folder / "router"))
        if "--mongodb" in sys.argv:
            server = Secantus(folder / "secantus")
            server.start()
            try:
                found["mongodb"] = asyncio.run(measure(server.uri, folder / "mongodb"))
            finally:
                server.kill()
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
