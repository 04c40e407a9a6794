"""The device behind every door: one state, whoever asks and however."""

from collections.abc import Callable, Mapping

from appliance.sandbox.routeros import config, network, traps
from appliance.sandbox.routeros.accounts import Accounts
from appliance.sandbox.routeros.actions import Answer, Menu, Request, perform
from appliance.sandbox.routeros.certificates import Certificates
from appliance.sandbox.routeros.clock import RouterClock
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.files import Files
from appliance.sandbox.routeros.hotspot import Hotspot
from appliance.sandbox.routeros.logs import Log
from appliance.sandbox.routeros.menus import all_menus
from appliance.sandbox.routeros.services import Services, SshSettings
from appliance.sandbox.routeros.system import DeviceMode, fresh_ntp
from appliance.sandbox.routeros.tables import Row
from appliance.sandbox.routeros.versions import NEWEST, Version
from appliance.sandbox.routeros.versions import Name as VersionName

_HOTSPOT = "/ip/hotspot"
_ENABLING = frozenset({"add", "set", "enable"})


class Device:
    """A router: its menus, who may use them, and the hotspot that runs on it."""

    def __init__(
        self, faults: Faults, name: str = "MikroTik", version: VersionName = NEWEST
    ) -> None:
        self.faults = faults
        self.version = Version(version)
        self.clock = RouterClock()
        self.identity: Row = {"name": name}
        self.accounts = Accounts(self.version)
        self.certificates = Certificates(self.clock)
        self.services = Services(self.version, self.certificates.named)
        self.ssh = SshSettings(self.version)
        self.network = network.fresh(self.version)
        self.log = Log(self.clock)
        self.files = Files(self.version, self.clock, faults)
        self.ntp = fresh_ntp(self.version)
        self.mode = DeviceMode(faults)
        self.hotspot = Hotspot(
            config.fresh(self.network, self.version, self.certificates.named), self.clock, faults
        )
        self.on_reboot: Callable[[], None] = lambda: None
        """Called when somebody asks for a restart."""
        self._all_menus: dict[str, Menu] = all_menus(self)
        self._without_hotspot = {
            path: menu for path, menu in self._all_menus.items() if not path.startswith(_HOTSPOT)
        }

    def install(self, path: str, menu: Menu) -> None:
        """Add a menu that needs to know the whole device."""
        self._all_menus[path] = self._without_hotspot[path] = menu

    @property
    def menus(self) -> Mapping[str, Menu]:
        """Return every menu that is there."""
        missing = self.faults.menu.no_hotspot_package
        return self._without_hotspot if missing else self._all_menus

    def perform(self, path: str, name: str, request: Request) -> Answer:
        """Carry a command out; raise `Trap` with the router's words where it is refused."""
        if path == _HOTSPOT and name in _ENABLING and not self.mode.allows("hotspot"):
            raise traps.Trap("failure: not allowed by device-mode")
        return perform(self.menus, self.faults.menu.trap, path, name, request)

    def power_cut(self) -> None:
        """Lose what is not kept."""
        self.hotspot.power_cut()
        self.files.power_cut()
        self.log.power_cut()
        self.mode.power_cut()
        self.clock.reboot()
