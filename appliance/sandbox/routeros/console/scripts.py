"""`/import` and `/export`, for the console and for the API."""

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.actions import Action, Answer, Menu, Request
from appliance.sandbox.routeros.console import session
from appliance.sandbox.routeros.device import Device


def menu(device: Device) -> Menu:
    """Return the commands of the root, as the API has them."""

    def importing(request: Request) -> Answer:
        given = dict(request.attributes)
        at_console = session.Session(device, request.policies)
        at_console.bring_in(given, dry_run=given.pop("dry-run", "no") in {"", "yes", "true"})
        return Answer()

    def exporting(request: Request) -> Answer:
        given = dict(request.attributes)
        if "file" not in given:
            raise traps.missing("file")
        session.Session(device, request.policies).export("", frozenset(given) - {"file"}, given)
        return Answer()

    takes = frozenset(
        {"file-name", "verbose", *(["dry-run"] if device.version.at_least(7, 16) else [])}
    )
    flags = frozenset({"file", "compact", "terse", "verbose", "show-sensitive", "hide-sensitive"})
    return Menu(
        {
            "import": Action(importing, takes, on_console=False),
            "export": Action(exporting, flags, frozenset({"read"}), on_console=False),
        }
    )
