"""What every command shares: its settings file, and how its work is run."""

import asyncio
import os
import pwd
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

T = TypeVar("T")

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
config_option = click.option("--config", type=FILE, help="Settings file.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def operator() -> str:
    """Return who gives this command, for the audit log."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return f"command line ({name})"


def once(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end and return what comes out."""
    return asyncio.run(work)


def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run until SIGTERM or Ctrl-C; both let what is under way finish."""

    async def guarded() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return

    try:
        asyncio.run(guarded())
    except OSError as error:
        click.echo(f"cannot start: {error}", err=True)
        sys.exit(1)
