"""The same set-up as a script that somebody pastes or imports, on RouterOS 6.49 and 7 alike.

Values are literals and every statement stands on a line of its own: variables do not cross lines.
A statement that only one of the versions can read is handed over as text and read when it is run,
for a line that cannot be read is not caught by `on-error`.
"""

from collections.abc import Iterable, Iterator

from provisioning.desired import FOLDER, desired
from provisioning.facts import servers_attribute
from provisioning.rows import NOTES, TAG, Note, Wanted, noted
from provisioning.values import SETS, arguments, path, quoted
from provisioning.wish import Wish

_FLASH = (
    f':local dir "{FOLDER}"; :if ([:len [/file find where name="flash"]] > 0) '
    f'do={{ :set dir "flash/{FOLDER}" }}'
)
_NOT_THERE = "the portal does not hand its pages out: is the box running, and reachable from here"
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
        tables["/ip/hotspot/profile"] = [{"name": profile}]
    return tables


def _heading(wish: Wish) -> Iterator[str]:
    yield "# Hotspot set-up for RouterOS 6.49 and 7. Run it as an administrator:"
    yield "#   /import file-name=hotspot.rsc"
    yield "# or paste it into a terminal. Running it again changes nothing; what it does is undone"
    yield "# by `appliance provision remove`. It holds a password: delete it when it is done."
    yield ':do { :local see [:parse "/ip hotspot find"] } on-error={ ' + (
        ':error "this router has no hotspot: see device-mode and packages" }'
    )
    if wish.interface is not None:
        other = f'interface={quoted(wish.interface)} and name!="{TAG}"'
        yield f":if ([:len [/ip hotspot find where {other}]] > 0) do={{ " + (
            ':error "there is a hotspot on this interface: leave --interface out" }'
        )
    if wish.option_114:
        yield "# Option 114 is not part of this script: `appliance provision apply` looks first"
        yield "# whether the router has the certificate that phones insist on."


def _statements(wish: Wish, row: Wanted) -> Iterable[str]:
    match row.menu:
        case "/file":
            return _file(wish, row)
        case "/system/ntp/client":
            return _client(wish, row)
        case "/ip/service":
            return _service(row)
        case _:
            return _made(row) if row.ours else _changed(row)


def _file(wish: Wish, row: Wanted) -> Iterator[str]:
    """Write a page: by its contents on 7; on 6, which cannot, from the portal."""
    if "contents" not in row.values:
        make = _run('("/file add type=directory name=\\"" . $dir . "\\"")', "")
        yield f"{{ {_FLASH}; :if ([:len [/file find where name=$dir]] = 0) do={{ {make} }} }}"
        return
    name = quoted("/" + row.name.rpartition("/")[2])
    head, tail = quoted('/file add name="'), quoted(f'" contents={quoted(row.values["contents"])}')
    add = f"({head} . $dir . {name} . {tail})"
    url = quoted(page_url(wish, row.name.rpartition("/")[2]))
    fetch = f"/tool fetch url={url} dst-path=($dir . {name})"
    yield (
        f"{{ {_FLASH}; /file remove [/file find where name=($dir . {name})]; "
        + _run(add, f":do {{ {fetch} }} on-error={{ :error {quoted(_NOT_THERE)} }}")
        + " }"
    )


def _run(text: str, otherwise: str) -> str:
    """Carry out a command that only RouterOS 7 can read, and on 6 another one."""
    return f":do {{ :local run [:parse {text}]; $run }} on-error={{ {otherwise} }}"


def _client(wish: Wish, row: Wanted) -> Iterator[str]:
    """Set the clock's client where it is off; the two versions call its servers differently."""
    menu = path(row.menu)
    six = {"enabled": "yes", servers_attribute(wish.ntp, seven=False): wish.ntp}
    seven, other = (
        "; ".join(
            [
                *(
                    _note(row, name, quoted(noted(v)), f"{menu} get {name}")
                    for name, v in values.items()
                ),
                f"{menu} set {arguments(values)}",
            ]
        )
        for values in (row.values, six)
    )
    run = _run(quoted(seven), f":local run [:parse {quoted(other)}]; $run")
    yield f":if ([{menu} get enabled] = false) do={{ {run} }}"


def _service(row: Wanted) -> Iterator[str]:
    """Limit a service that takes everybody; a limit that somebody set stays as it is."""
    menu, name, value = path(row.menu), row.name, row.values["address"]
    note = _note(row, "address", quoted(noted(value)), f"{menu} get {name} address")
    then = f"{note}; {menu} set {name} address={quoted(value)}"
    yield f":if ([:len [{menu} get {name} address]] = 0) do={{ {then} }}"


def _made(row: Wanted) -> Iterator[str]:
    menu, (name, value) = path(row.menu), row.key or ("name", "")
    find = f"{menu} find where {name}={quoted(value)}"
    values = {k: v for k, v in row.values.items() if k != _DIRECTORY}
    first = arguments({name: value, **values, **row.once})
    mine = f'{find} and comment="{TAG}"' if row.menu == "/user" else find
    later = f" else={{ {menu} set [{mine}] {arguments(values)} }}" if values else ""
    yield f":if ([:len [{find}]] = 0) do={{ {menu} add {first} }}{later}"
    if _DIRECTORY in row.values:
        yield f"{{ {_FLASH}; {menu} set [{find}] {_DIRECTORY}=$dir }}"
    if row.menu == "/ip/hotspot":
        yield _own_address(row.values["interface"])


def _own_address(interface: str) -> str:
    """Give the hotspot the address that its interface has, without the prefix."""
    addresses = f"[/ip address find where interface={quoted(interface)}]"
    profile = f'[/ip hotspot profile find where name="{TAG}"]'
    return (
        f":if ([:len {addresses}] > 0) do={{ "
        f":local own [:tostr [/ip address get [:pick {addresses} 0] address]]; "
        f'/ip hotspot profile set {profile} hotspot-address=[:pick $own 0 [:find $own "/"]] }}'
    )


def _changed(row: Wanted) -> Iterator[str]:
    """Change a row that was there before us, and let the router remember what it was."""
    menu, (name, value) = path(row.menu), row.key or ("name", "")
    find = f"[{menu} find where {name}={quoted(value)}]"
    yield f":if ([:len {find}] = 0) do={{ :error {quoted(f'{menu}: there is no {value}')} }}"
    for attribute, wanted in row.values.items():
        if attribute in SETS:
            yield _joined(row, attribute, wanted, find)
            continue
        is_folder = attribute == _DIRECTORY
        said = "$dir" if is_folder else quoted(wanted)
        ours = "$dir" if is_folder else quoted(noted(wanted))
        note = _note(row, attribute, ours, f"{menu} get {find} {attribute}")
        yield f"{{ {_FLASH}; {note}; {menu} set {find} {attribute}={said} }}"


def _joined(row: Wanted, attribute: str, word: str, find: str) -> str:
    """Add a word to a set that lacks it. What the set is then, nobody has noted: it is not ours."""
    menu, said = path(row.menu), quoted(word)
    get = f"{menu} get {find} {attribute}"
    each = f':set held ($held . $one . ","); :if ($one = {said}) do={{ :set there true }}'
    look = f':local held ""; :local there false; :foreach one in=[:toarray [{get}]] do={{ {each} }}'
    forget = f"{path(NOTES)} remove [{_notes_about(row, attribute)}]"
    note = _added(row, attribute, f"$held . {said}", get)
    change = f"{menu} set {find} {attribute}=($held . {said})"
    return f"{{ {look}; :if (!$there) do={{ {forget}; {note}; {change} }} }}"


def _note(row: Wanted, attribute: str, ours: str, get: str) -> str:
    """Write down what a value was, once; `ours` is an expression."""
    find = _notes_about(row, attribute)
    return f":if ([:len [{find}]] = 0) do={{ {_added(row, attribute, ours, get)} }}"


def _notes_about(row: Wanted, attribute: str) -> str:
    pattern = _head(row, attribute)[0].replace(".", "[.]")
    return f"{path(NOTES)} find where comment~{quoted(f'^{pattern} ')}"


def _added(row: Wanted, attribute: str, ours: str, get: str) -> str:
    head, was = _head(row, attribute)
    comment = f"({quoted(f'{head} ')} . {ours} . {quoted(was)} . [:tostr [{get}]])"
    return f"{path(NOTES)} add {arguments(Note.blank())} comment={comment}"


def _head(row: Wanted, attribute: str) -> tuple[str, str]:
    """Return a note's comment up to what we make of the value, and what follows on that."""
    head = Note(menu=row.menu, name=row.name, attribute=attribute, ours=("",), before="").head
    about, _, was = head.rpartition(" -")
    return about, was
