"""The device's services: who is let in from where, and how many at a time."""

from appliance.sandbox.routeros import values
from appliance.sandbox.routeros.accounts import allowed, networks
from appliance.sandbox.routeros.tables import Manners, Row, Table
from appliance.sandbox.routeros.values import Kind
from appliance.sandbox.routeros.versions import Version

_PORTS = {
    "telnet": 23,
    "ftp": 21,
    "www": 80,
    "ssh": 22,
    "www-ssl": 443,
    "api": 8728,
    "winbox": 8291,
    "api-ssl": 8729,
}
_SECURE = frozenset({"www-ssl", "api-ssl"})
_MOST_SESSIONS = 20
"""The default of version 7; version 6 shows no such number, and is held to the same."""


class Services:
    """`/ip/service`: rows that are there from the start; a port that is set moves no socket."""

    def __init__(self, version: Version, certificate: Kind) -> None:
        kinds = {
            "name": values.text,
            "port": values.whole_number,
            "address": networks,
            "certificate": certificate,
            "tls-version": values.one_of("any", "only-1.2"),
            "disabled": values.boolean,
        }
        if version.seven:
            kinds["max-sessions"] = values.whole_number
        self.table = Table(kinds, manners=Manners(built_in=True, fixed=frozenset({"name"})))
        for name, port in _PORTS.items():
            secure = {"certificate": "none", "tls-version": "any"} if name in _SECURE else {}
            most = {"max-sessions": str(_MOST_SESSIONS)} if version.seven else {}
            off = "true" if name == "www-ssl" else "false"
            self.table.add({"name": name, "port": str(port), "disabled": off, **secure, **most})

    def listens(self, name: str, port: int) -> None:
        """Remember where a service really listens."""
        self.table.set([self.table.id_of(name)], {"port": str(port)})
        self.table.originals[self.table.id_of(name)]["port"] = str(port)

    def admits(self, name: str, address: str) -> bool:
        """Say whether a connection from there is taken up."""
        row = self._row(name)
        return row["disabled"] == "false" and allowed(row.get("address", ""), address)

    def full(self, name: str, sessions: int) -> bool:
        """Say whether with so many sessions there is no room for one more."""
        return sessions >= int(self._row(name).get("max-sessions", _MOST_SESSIONS))

    def certificate(self, name: str) -> str:
        """Return the name of the certificate of a service; `none` where it has none."""
        return self._row(name)["certificate"]

    def certify(self, name: str, certificate: str) -> None:
        """Give a service its certificate."""
        self.table.set([self.table.id_of(name)], {"certificate": certificate})

    def _row(self, name: str) -> Row:
        return self.table.named_row(name)


class SshSettings:
    """`/ip/ssh`: whether a password still does once a user has a key, and what is shown of keys."""

    def __init__(self, version: Version) -> None:
        self.row: Row = {
            "forwarding-enabled": "no",
            "always-allow-password-login": "false",
            "strong-crypto": "false",
            "host-key-size": "2048",
        }
        kinds = {
            "forwarding-enabled": values.one_of("no", "local", "remote", "both"),
            "always-allow-password-login": values.boolean,
            "strong-crypto": values.boolean,
            "host-key-size": values.one_of("1024", "1536", "2048", "4096", "8192"),
        }
        if version.seven:
            self.row["host-key-type"] = "ed25519"
            kinds["host-key-type"] = values.one_of("rsa", "ed25519")
        if version.at_least(7, 19):
            del self.row["always-allow-password-login"], kinds["always-allow-password-login"]
            self.row["password-authentication"] = "yes-if-no-key"
            kinds["password-authentication"] = values.one_of("yes", "no", "yes-if-no-key")
        self.kinds = Table(kinds, required=())

    def takes_password(self, *, has_key: bool) -> bool:
        """Say whether a user may sign in with a password."""
        told = self.row.get("password-authentication", "yes-if-no-key")
        if told == "yes" or self.row.get("always-allow-password-login") == "true":
            return True
        return told != "no" and not has_key
