"""What operators ask for, one of each kind; and the check of what comes out, for `make lint`."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from provisioning.rsc import rendered
from tests.provisioning.routers import a_wish
from tests.provisioning.scripts import findings

SAMPLES: list[dict[str, Any]] = [
    {},
    {"profile": "hsprof1", "server": "hotspot1", "ssh": True},
    {
        "interface": "ether5",
        "hosts": ("bank.example.com", "school.example.com"),
        "box_mac": "02:00:00:00:00:01",
        "ntp": "192.168.88.2",
    },
    {"plans": (), "limit_services": False},
]


def main() -> int:
    """Check every sample; return 1 where one is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        found = [f for asked in SAMPLES for f in findings(rendered(a_wish(**asked)), Path(folder))]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
