"""The operator's console: its frame and its chapters, joined to what they need."""

from datetime import timedelta, timezone

from appliance.app.parts import Parts
from appliance.flows.audit import Audit
from appliance.flows.replay import Replay
from appliance.ports import Clock
from appliance.settings import Admin, Settings
from appliance.web.console.calls import Calls
from appliance.web.console.home import Home
from appliance.web.console.keys import Keys
from appliance.web.console.pages import ConsolePages
from appliance.web.console.sessions import Sessions
from appliance.web.console.shell import Chapter, Shell


def frame(settings: Settings, clock: Clock, audit: Audit) -> Shell:
    """Return what every page shares; nobody is signed in yet."""
    zone = timezone(timedelta(minutes=settings.appliance.utc_offset))
    return Shell(
        pages=ConsolePages(settings.portal.brand, zone),
        sessions=Sessions(clock),
        keys=_keys(settings.admin, clock),
        clock=clock,
        record=audit.write,
        secure=(settings.admin.public_url or "").startswith("https://"),
    )


def chapters(parts: Parts) -> list[Chapter]:
    """Return the chapters of the console in the order of its menu."""
    kept, clock = parts.kept, parts.clock
    return [
        Home(clock),
        Calls(webhooks=kept.webhooks, replay=Replay(webhooks=kept.webhooks, clock=clock)),
    ]


def _keys(admin: Admin, clock: Clock) -> Keys:
    password, totp = admin.password_hash, admin.totp_secret
    return Keys(
        clock=clock,
        password_hash=None if password is None else password.get_secret_value(),
        totp_secret=None if totp is None else totp.get_secret_value(),
    )
