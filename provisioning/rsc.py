"""The same set-up as a script that somebody pastes or imports, on RouterOS 6.49 and 7 alike.

Values are literals and every statement stands on a line of its own: variables do not cross lines.
A statement that only one of the versions can read is handed over as text and read when it is run,
for a line that cannot be read is not caught by `on-error`.
"""

from collections.abc import Iterable, Iterator, Mapping

from provisioning.desired import FOLDER, desired
from provisioning.rows import FILES, NOTES, Note, Wanted
from provisioning.values import arguments, path, quoted
from provisioning.wish import Wish

_ON_SIX = {"servers": "server-dns-names"}
_ASSUMED = "cookie,http-chap"
_FLASH = (
    f':local dir "{FOLDER}"; :if ([:len [/file find where name="flash"]] > 0) '
    f'do={{ :set dir "flash/{FOLDER}" }}'
)
_DIRECTORY = "html-directory-override"


def rendered(wish: Wish) -> str:
    """Return the script; running it again changes nothing."""
    wanted = desired(wish, _assumed(wish))
    lines = [*_heading(wish)]
    for number, row in enumerate(wanted, 1):
        lines.append(f':put "{number:02}/{len(wanted):02} {path(row.menu)}"')
        lines.extend(_statements(wish, row))
    lines.append(':put "done"')
    return "\n".join(lines) + "\n"


def page_url(wish: Wish, name: str) -> str:
    """Return where the portal serves this page for routers that can only fetch."""
    return f"{wish.portal_url.rstrip('/')}/router/{name}"


def _assumed(wish: Wish) -> dict[str, list[dict[str, str]]]:
    """Return the tables of a router that we cannot see: a plain one, with the hotspot meant."""
    tables: dict[str, list[dict[str, str]]] = {
        "/system/resource": [{"version": "7"}],
        "/system/ntp/client": [{"enabled": "false"}],
        "/user": [],
        "/ip/service": [{"name": "api"}, {"name": "api-ssl"}],
        "/ip/hotspot": [],
    }
    if wish.interface is None:
        profile = wish.profile or "hsprof1"
        server = {"name": wish.server or "hotspot1", "profile": profile}
        tables["/ip/hotspot"] = [server]
        tables["/ip/hotspot/profile"] = [{"name": profile, "login-by": _ASSUMED}]
    return tables


def _heading(wish: Wish) -> Iterator[str]:
    yield "# Hotspot set-up for RouterOS 6.49 and 7. Run it as an administrator:"
    yield "#   /import file-name=hotspot.rsc"
    yield "# or paste it into a terminal. It may be run again. `appliance provision remove` undoes it."
    yield "# It holds a password: delete it from the router and from here when it is done."
    yield ':do { :local see [:parse "/ip hotspot find"] } on-error={ ' + (
        ':error "this router has no hotspot: see device-mode and packages" }'
    )
    if wish.option_114:
        yield "# Option 114 is not part of this script: `appliance provision apply` looks first"
        yield "# whether the router has the certificate that phones insist on."


def _statements(wish: Wish, row: Wanted) -> Iterable[str]:
    if row.menu == FILES:
        return _file(wish, row)
    if row.menu == "/system/ntp/client":
        return _client(row)
    return _made(row) if row.ours else _changed(row)


def _file(wish: Wish, row: Wanted) -> Iterator[str]:
    """Write a page: by its contents on 7; on 6, which cannot, from the portal."""
    if "contents" not in row.values:
        return
    name = row.name.rpartition("/")[2]
    contents = quoted(row.values["contents"])
    add = f'("/file add name=\\"" . $dir . {quoted(f"/{name}")} . "\\" contents=" . {quoted(contents)})'
    fetch = f"/tool fetch url={quoted(page_url(wish, name))} dst-path=($dir . {quoted(f'/{name}')})"
    gone = f"/file remove [/file find where name=($dir . {quoted(f'/{name}')})]"
    yield (
        f"{{ {_FLASH}; {gone}; :do {{ :local make [:parse {add}]; $make }} "
        f"on-error={{ {fetch} }} }}"
    )


def _client(row: Wanted) -> Iterator[str]:
    """Set the clock's client where it is off; the two versions call the servers differently."""
    menu = path(row.menu)
    for attribute, value in row.values.items():
        yield _note(row, attribute, value, f"{menu} get {attribute}")
    six = {_ON_SIX.get(name, name): value for name, value in row.values.items()}
    yield (
        f":if (![{menu} get enabled]) do={{ "
        + _either(f"{menu} set {arguments(row.values)}", f"{menu} set {arguments(six)}")
        + " }"
    )


def _either(seven: str, six: str) -> str:
    return (
        f":do {{ :local run [:parse {quoted(seven)}]; $run }} "
        f"on-error={{ :local run [:parse {quoted(six)}]; $run }}"
    )


def _made(row: Wanted) -> Iterator[str]:
    menu, (name, value) = path(row.menu), row.key or ("name", "")
    find = f"[{menu} find where {name}={quoted(value)}]"
    values = {k: v for k, v in row.values.items() if k != _DIRECTORY}
    first = arguments({name: value, **values, **row.once})
    later = f" else={{ {menu} set {find} {arguments(values)} }}" if values else ""
    yield f":if ([:len {find}] = 0) do={{ {menu} add {first} }}{later}"
    if _DIRECTORY in row.values:
        yield f"{{ {_FLASH}; {menu} set {find} {_DIRECTORY}=$dir }}"


def _changed(row: Wanted) -> Iterator[str]:
    """Change a row that was there before us, and let the router remember what it was."""
    menu, (name, value) = path(row.menu), row.key or ("name", "")
    find = f"[{menu} find where {name}={quoted(value)}]"
    missing = quoted(f"{menu}: there is no {value}")
    yield f":if ([:len {find}] = 0) do={{ :error {missing} }}"
    for attribute, wanted in row.values.items():
        yield _note(row, attribute, wanted, f"{menu} get {find} {attribute}")
    values: Mapping[str, str] = {k: v for k, v in row.values.items() if k != _DIRECTORY}
    if values:
        yield f"{menu} set {find} {arguments(values)}"
    if _DIRECTORY in row.values:
        yield f"{{ {_FLASH}; {menu} set {find} {_DIRECTORY}=$dir }}"
