"""What an operator asks of the router, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit

from appliance.domain import hosts
from appliance.domain.plans import Plan

_PORTS = {"http": 80, "https": 443}
PROBES = (
    *("captive.apple.com", "connectivitycheck.gstatic.com", "connectivitycheck.android.com"),
    *("clients3.google.com", "www.msftconnecttest.com", "www.msftncsi.com", "www.google.com"),
    *("detectportal.firefox.com", "play.googleapis.com", "www.apple.com"),
)
"""What phones ask to find out whether they are captive."""


class WrongWish(Exception):
    """What was asked cannot be done; the text says what can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A hotspot that hands its visitors over to this box."""

    portal_url: str
    pages: Mapping[str, str] = field(repr=False)
    """The router's own pages for this portal, by name."""
    box: str
    """The box's IPv4 address, as the router sees it."""
    username: str
    """The account with which the box works every day."""
    password: str = field(repr=False)
    plans: tuple[Plan, ...] = ()
    interface: str | None = None
    """Make a hotspot here where there is none; else one that is there is taken on."""
    server: str | None = None
    """Which of several hotspots."""
    profile: str | None = None
    """Its profile, for a script that cannot look."""
    box_mac: str | None = None
    """Let the box itself through: it stands in the hotspot's network."""
    hosts: tuple[str, ...] = ()
    """Names that customers may reach before they pay."""
    ntp: str = "pool.ntp.org"
    ssh: bool = False
    option_114: bool = False
    limit_services: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        _check_address(self.box)
        names = {
            "--interface": self.interface,
            "--server": self.server,
            "--profile": self.profile,
            "router.username": self.username,
        }
        for label, name in names.items():
            if name is not None and not hosts.is_row_name(name):
                raise WrongWish(f"{label}: {name!r} is not a name that the router would take")
        if not self.password:
            raise WrongWish("router.password is empty: the account would be anybody's")
        if not hosts.is_server(self.ntp):
            raise WrongWish("hotspot.ntp must be a host name or an address")
        for host in self.hosts:
            _check_host(host)
        if self.box_mac is not None:
            _check_mac(self.box_mac)

    @property
    def policies(self) -> str:
        """Return the least that the box's account needs."""
        return "read,write,api" + (",ssh" if self.ssh else "")

    @property
    def portal(self) -> tuple[str, int]:
        """Return the portal's host and port."""
        parts = urlsplit(self.portal_url)
        return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)


def is_address(text: str) -> bool:
    """Say whether this is an IPv4 address."""
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def _check_address(text: str) -> None:
    if not is_address(text):
        raise WrongWish(f"hotspot.box must be the box's IPv4 address, not {text!r}")


def _check_host(host: str) -> None:
    if not hosts.is_whole_name(host):
        raise WrongWish(
            f"hotspot.free_hosts: {host!r} is not a whole host name in lower case; the router "
            "looks up its addresses, so it cannot have a star in it"
        )
    if host in PROBES:
        raise WrongWish(
            f"hotspot.free_hosts: phones ask {host} whether they are captive. If it answers, "
            "no phone shows the sign-in page. Leave it out."
        )


def _check_mac(text: str) -> None:
    try:
        hosts.mac(text)
    except ValueError:
        raise WrongWish(f"hotspot.box_mac: {text!r} is not a MAC address") from None
