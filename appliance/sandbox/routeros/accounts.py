"""Who may sign in to the device: users, their groups, their keys."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from appliance.sandbox.routeros import traps, values
from appliance.sandbox.routeros.tables import Manners, Row, Table, naming, same_name
from appliance.sandbox.routeros.versions import Version

_POLICIES = (
    *("local", "telnet", "ssh", "ftp", "reboot", "read", "write", "policy", "test", "winbox"),
    *("password", "web", "sniff", "sensitive", "api"),
)
_ONLY_SIX, _ONLY_SEVEN = ("romon", "dude", "tikapp"), ("romon", "rest-api")
_NEEDS = frozenset({"write", "policy"})
_PASSWORD = "sandbox"  # noqa: S105  # the sandbox's own


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who has signed in."""

    name: str
    policies: frozenset[str]


class Groups(Table):
    """Groups; a policy that `set` does not name stays as it was."""

    def __init__(self, version: Version) -> None:
        self._known = [*_POLICIES, *(_ONLY_SEVEN if version.seven else _ONLY_SIX)]
        kinds = {"name": values.text, "policy": values.text, "comment": values.text}
        super().__init__(
            kinds,
            defaults={"policy": self._written(frozenset())},
            twin=same_name("group"),
            manners=Manners(needs=_NEEDS),
        )

    def policies(self, row: Mapping[str, str]) -> frozenset[str]:
        """Return what members of this group may do."""
        return frozenset(word for word in row["policy"].split(",") if not word.startswith("!"))

    def checked(self, row: Mapping[str, str], given: Mapping[str, str]) -> Row:
        """Return the row with these properties set."""
        if "policy" not in given:
            return super().checked(row, given)
        held = set(self.policies(row))
        for word in filter(None, given["policy"].split(",")):
            policy = values.resolved("policy", word.removeprefix("!"), self._known)
            (held.discard if word.startswith("!") else held.add)(policy)
        return super().checked(row, {**given, "policy": self._written(held)})

    def _written(self, held: Iterable[str]) -> str:
        yes = [policy for policy in self._known if policy in held]
        return ",".join([*yes, *(f"!{policy}" for policy in self._known if policy not in held)])


class Accounts:
    """The tables of users, and the answers to who may come in."""

    def __init__(self, version: Version) -> None:
        self.groups = Groups(version)
        self.users = Table(
            {
                "name": values.text,
                "group": naming(self.groups),
                "address": networks,
                "password": values.text,
                "comment": values.text,
                "disabled": values.boolean,
            },
            defaults={"disabled": "false"},
            required=("name", "group", "password") if version.seven else ("name", "group"),
            twin=same_name("user"),
            manners=Manners(needs=_NEEDS, hidden=frozenset({"password"})),
        )
        self.keys = Table(
            {"user": naming(self.users), "key": _key, "comment": values.text},
            required=("user", "key"),
            manners=Manners(needs=_NEEDS, hidden=frozenset({"key"}), only_added=True),
        )
        self._fill(version)

    def with_password(self, name: str, password: str, address: str) -> Account | None:
        """Return who this is, if the password is theirs and they may come from there."""
        return self.proved(name, lambda right: right == password, address)

    def proved(self, name: str, knows: Callable[[str], bool], address: str) -> Account | None:
        """Return who this is, if they have shown that they know the password."""
        row = self._row(name, address)
        return None if row is None or not knows(row.get("password", "")) else self._account(row)

    def with_key(self, name: str, key: bytes, address: str) -> Account | None:
        """Return who this is, if the public key is one of theirs."""
        row = self._row(name, address)
        if row is None or base64.b64encode(key).decode() not in self.keys_of(name):
            return None
        return self._account(row)

    def keys_of(self, name: str) -> list[str]:
        """Return the public keys of a user, in base64."""
        return [row["key"].split()[1] for row in self.keys.rows.values() if row["user"] == name]

    def named(self, name: str) -> Account | None:
        """Return a user whom somebody else has recognised."""
        found = self.users.named(name)
        return None if found is None else self._account(found[1])

    def _row(self, name: str, address: str) -> Row | None:
        found = self.users.named(name)
        if found is None or found[1]["disabled"] == "true":
            return None
        return found[1] if allowed(found[1].get("address", ""), address) else None

    def _account(self, row: Row) -> Account:
        group = self.groups.named(row["group"])
        policies = frozenset[str]() if group is None else self.groups.policies(group[1])
        return Account(row["name"], policies)

    def _fill(self, version: Version) -> None:
        full = [*_POLICIES, *(_ONLY_SEVEN if version.seven else _ONLY_SIX)]
        reading = [word for word in full if word not in {"write", "policy", "ftp", "dude"}]
        for name, policies in {
            "read": ",".join(reading),
            "write": ",".join([*reading, "write"]),
            "full": ",".join(full),
            "appliance": "read,write,api,ssh",
            "reader": "read,api,ssh",
        }.items():
            self.groups.add({"name": name, "policy": policies})
        for name, group in {"admin": "full", "appliance": "appliance", "reader": "reader"}.items():
            self.users.add({"name": name, "group": group, "password": _PASSWORD})


def networks(name: str, value: str) -> str | None:
    """Take addresses and networks, comma-separated; nothing means everywhere."""
    try:
        shown = [str(IPv4Network(part)) for part in value.split(",")] if value else []
    except ValueError:
        raise traps.bad_value(name) from None
    return ",".join(shown)


def allowed(limits: str, address: str) -> bool:
    """Say whether somebody may come from this address; no limits, everybody may."""
    if not limits:
        return True
    return any(IPv4Address(address) in IPv4Network(limit) for limit in limits.split(","))


def _key(_: str, value: str) -> str | None:
    """Take a public key as OpenSSH writes it."""
    words = value.split()
    try:
        base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        raise traps.Trap("unable to load key file (wrong format or bad passphrase)!") from None
    return " ".join(words)
