"""`make bench`: every figure as a ratio to the bare limit measured in the same run, as JSON."""

import asyncio
import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench import gate, plans, portal, sales, scale
from tests.servers import Secantus


async def measure(mongodb: str | None, folder: Path) -> dict[str, Any]:
    """Return every figure for one store, or with `--scale` those of a long life alone."""
    if "--scale" in sys.argv:
        return {"scale": await scale.measure(mongodb, folder / "scale")}
    return {
        "plans": await plans.measure(mongodb, folder / "plans"),
        "sales": await sales.measure(mongodb, folder / "sales"),
        "portal": await portal.measure(mongodb, folder / "portal"),
    }


def main() -> None:
    """Measure on SQLite unless told not to, and on the MongoDB stand-in where asked for."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        found: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
        if "--no-sqlite" not in sys.argv:
            found["sqlite"] = asyncio.run(measure(None, folder / "sqlite"))
            if "--scale" not in sys.argv:
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
