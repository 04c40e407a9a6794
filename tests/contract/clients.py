"""Clients of a pretend router that nobody here wrote, and its own console."""

import asyncio
from typing import Any

import librouteros
import pytest
from librouteros.api import AsyncApi
from librouteros.exceptions import TrapError

from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.server import PretendRouter

USERS = "/ip/hotspot/user"


async def connect(
    router: PretendRouter,
    name: str = "appliance",
    password: str = "sandbox",  # noqa: S107 # the sandbox's own
) -> AsyncApi:
    return await librouteros.async_connect(
        "127.0.0.1", name, password, port=router.api_port, encoding="utf-8", timeout=5
    )


async def say(api: AsyncApi, *words: str) -> list[dict[str, Any]]:
    return [row async for row in api.rawCmd(*words)]


async def refused(api: AsyncApi, *words: str) -> str:
    with pytest.raises(TrapError) as caught:
        await say(api, *words)
    return str(caught.value.message)


async def raw(router: PretendRouter, *sentences: list[str]) -> bytes:
    """Send sentences after signing in, and return every byte that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", router.api_port)
    login = ["/login", "=name=appliance", "=password=sandbox"]
    for words in (login, *sentences, ["/quit"]):
        writer.write(b"".join(bytes((len(w),)) + w.encode() for w in words) + b"\0")
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said


async def curl(router: PretendRouter, path: str, *more: str, device: int = 5) -> tuple[int, str]:
    """Return status and, of a redirect, where to; else the body."""
    process = await asyncio.create_subprocess_exec(
        "curl",
        "--silent",
        "--interface",
        f"127.0.1.{device}",
        "--write-out",
        "\n%{http_code} %{redirect_url}",
        *more,
        f"http://127.0.0.1:{router.web_port}{path}",
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    body, _, last = said.decode().rpartition("\n")
    status, _, location = last.partition(" ")
    return int(status), location or body


def at_console(router: PretendRouter, line: str) -> str:
    account = router.device.accounts.named("admin")
    assert account is not None
    return Session(router.device, account.policies).run(line).strip()
