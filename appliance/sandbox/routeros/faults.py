"""What can go wrong with the router, and what nobody has established about it: set by PUT."""

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class WrongFaults(Exception):
    """The menu was not understood; the text names the entry and what is allowed."""


class _Menu(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    refuse: bool = False
    """Every connection to the API is reset, new ones and those that stand."""
    hang: bool = False
    """Commands are read and never answered; the connection stays open."""
    latency: float | None = Field(default=None, ge=0, le=60)
    """Seconds before every answer; absent means what the router was started with."""
    half_close: bool = False
    """At its next command, each connection loses the router's half."""
    rubbish: bool = False
    """Commands are answered with bytes that are no sentence."""
    cut_before_command: str | None = None
    """Once: this command is lost with its connection, not carried out."""
    cut_after_command: str | None = None
    """Once: this command is carried out and its answer lost with its connection."""
    late_answer: str | None = None
    """Once: this command's answer comes 30 seconds late."""
    trap: dict[str, str] = {}
    """Commands that are refused, each with the router's words."""
    ssh_refuse: bool = False
    """Every SSH connection is reset, new ones and those that stand."""
    ssh_hang: bool = False
    """Commands over SSH are read and never answered."""
    ssh_cut_before_command: str | None = None
    """Once: a command over SSH with this text in it is lost with its connection."""
    ssh_cut_after_command: str | None = None
    """Once: such a command is carried out, and what it prints is lost with its connection."""
    reboot: float | None = Field(default=None, ge=0, le=600)
    """Once, at once: a restart that takes so many seconds."""

    hotspot_add_disabled: bool = True
    """Whether a new hotspot server is off unless it is told otherwise: not established."""
    ssh_loses_letters: bool = False
    """Whether letters beyond ASCII are lost from a command over SSH."""
    login_trap_prefix: Literal["", "failure: "] = ""
    """Whether a refused `active/login` begins like other refusals: not established."""
    login_when_active: Literal["ignored", "refused"] = "refused"
    """What `active/login` says of a client that is in already: not established."""
    cookies_survive_reboot: bool = False
    """Not established."""
    api_login_makes_cookie: bool = False
    """Whether a login by API leaves a mac-cookie: not established."""
    no_hotspot_package: bool = False
    """The hotspot's menus are not there: a package that is not installed."""
    device_mode: Literal["advanced", "home", "basic"] = "advanced"
    """What the device left the factory as; in the other two, a hotspot may not be enabled."""
    license_level: int = Field(default=6, ge=0, le=6)
    """How many may be online: 1, 200 or 500, and with 6 as many as there are."""
    has_flash: bool = False
    """There is a `flash` folder, and what is outside of it is lost with the power."""
    old_login: bool = False
    """Whether the API signs in as before 6.43: a challenge, and its answer."""
    too_many_sessions: Literal["reset", "closed"] = "reset"
    """How the API turns away a client too many: not established."""
    ssh_error_status: int = Field(default=0, ge=0, le=1)
    """The exit status of a command over SSH that was refused; seen as 0, not established for 6."""
    ssh_only_sha1: bool = False
    """Whether SSH offers nothing but what OpenSSH and Paramiko have given up."""
    import_checks_grammar_first: bool = True
    """Whether a file whose brackets do not close is refused before any of it is done."""
    import_keeps_locals: bool = True
    """Whether a file's lines see the variables of earlier ones; with `verbose` they never do."""
    console_times: Literal["clock", "units"] = "clock"
    """Whether a script sees a length of time as `01:00:00` or as `1h`."""
    question_mark_escape: bool = False
    """Whether version 7 takes `\\?` in a string: not established."""
    early_serialize: bool = False
    """Whether `:serialize` is there before 7.16, without its options: not established."""


class Faults:
    """The menu as it stands; reading it never changes it, except what happens once."""

    def __init__(self, latency: float = 0.0) -> None:
        self._started_with = latency
        self.menu = _Menu()
        self.on_change: Callable[[], None] = lambda: None
        """Called after every change of the menu."""

    def set(self, wanted: object) -> None:
        """Replace the whole menu; raise `WrongFaults` and change nothing."""
        try:
            self.menu = _Menu.model_validate(wanted, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            known = ", ".join(_Menu.model_fields)
            raise WrongFaults(f"{where}: {first['msg']}; there are: {known}") from None
        self.on_change()

    def shown(self) -> dict[str, object]:
        """Return the menu as JSON has it."""
        return self.menu.model_dump()

    @property
    def latency(self) -> float:
        """Return the seconds before every answer."""
        return self._started_with if self.menu.latency is None else self.menu.latency

    def once(
        self, name: Literal["cut_before_command", "cut_after_command", "late_answer"], command: str
    ) -> bool:
        """Say whether this command is the one, and forget it if so."""
        if getattr(self.menu, name) != command:
            return False
        self.menu = self.menu.model_copy(update={name: None})
        return True

    def once_within(
        self, name: Literal["ssh_cut_before_command", "ssh_cut_after_command"], line: str
    ) -> bool:
        """Say whether this line holds the text of the one, and forget it if so."""
        text = getattr(self.menu, name)
        if text is None or text not in line:
            return False
        self.menu = self.menu.model_copy(update={name: None})
        return True

    def take_reboot(self) -> float | None:
        """Return the seconds of a restart that was asked for, and forget it."""
        seconds = self.menu.reboot
        self.menu = self.menu.model_copy(update={"reboot": None})
        return seconds
