"""`python -m appliance.cli.manual`: the manual page, as the commands describe themselves."""

import re
from collections.abc import Iterator

import click

from appliance.app.backup import VERSION
from appliance.cli import cli

_FILES = (
    ("/etc/hotspot-appliance/appliance.toml", "the settings"),
    ("/etc/hotspot-appliance/credentials/", "secrets, a file SECTION.KEY each"),
    ("/var/lib/hotspot-appliance/", "the data"),
    ("/opt/hotspot-appliance/", "the installed releases; current is in use"),
)


def page() -> str:
    """Return the page in man(7)."""
    root = click.Context(cli, info_name="appliance")
    lines = [
        f'.TH APPLIANCE 1 "" "hotspot-appliance {VERSION}" "User Commands"',
        ".SH NAME",
        r"appliance \- sells hotspot time through M\-Pesa beside a MikroTik router",
        ".SH SYNOPSIS",
        r".B appliance",
        r"\fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]...",
        ".SH COMMANDS",
        *_commands(cli, root),
        ".SH FILES",
    ]
    for path, what in _FILES:
        lines += [".TP", rf"\fI{_escaped(path)}\fR", _escaped(what)]
    lines += [".SH EXIT STATUS", "0 done, 1 failed, 2 wrong usage."]
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield from _command(command, inner)
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    path = context.command_path.removeprefix("appliance ")
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f".SS {_escaped(path)}", rf"\fBappliance {_escaped(path)}\fR {_escaped(usage)}")
    yield ".PP"
    yield _escaped(re.sub(r"\s+", " ", command.help or ""))
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[0] != "--help":
            yield from (".TP", rf"\fB{_escaped(record[0])}\fR", _escaped(record[1]) or r"\&")


def _escaped(text: str) -> str:
    """Return the text as man shows it: a line that begins with a dot is no request."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("\n", " ")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    print(page(), end="")
