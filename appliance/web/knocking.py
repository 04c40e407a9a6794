"""A client of one of the box's own doors, wherever it listens."""

import httpx

_HERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 # compared, not bound


def knocking_at(listen: str, patience: float = 5.0) -> httpx.AsyncClient:
    """Return a client whose paths are that door's; `patience` in seconds."""
    unix = listen.startswith("unix:")
    host, _, port = listen.rpartition(":")
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=listen.removeprefix("unix:") if unix else None),
        base_url="http://box" if unix else f"http://{_HERE.get(host, host)}:{port}",
        timeout=patience,
        trust_env=False,
    )
