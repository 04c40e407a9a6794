"""The device behind every door: one state, whoever asks and however."""

from appliance.sandbox.routeros import config
from appliance.sandbox.routeros.accounts import Accounts
from appliance.sandbox.routeros.actions import Answer, Menu, Request, perform
from appliance.sandbox.routeros.clock import RouterClock
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.hotspot import Hotspot
from appliance.sandbox.routeros.menus import all_menus
from appliance.sandbox.routeros.services import Services, SshSettings
from appliance.sandbox.routeros.tables import Row
from appliance.sandbox.routeros.versions import NEWEST, Version
from appliance.sandbox.routeros.versions import Name as VersionName


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
        self.services = Services(self.version)
        self.ssh = SshSettings(self.version)
        self.hotspot = Hotspot(config.fresh(), self.clock, faults)
        self.menus: dict[str, Menu] = all_menus(self)

    def perform(self, path: str, name: str, request: Request) -> Answer:
        """Carry a command out; raise `Trap` with the router's words where it is refused."""
        return perform(self.menus, self.faults.menu.trap, path, name, request)

    def power_cut(self) -> None:
        """Lose what is not kept."""
        self.hotspot.power_cut()
        self.clock.reboot()
