"""The pages that live on the router: they hand every visitor over to the portal."""

from collections.abc import Mapping
from importlib.resources import files
from urllib.parse import urlsplit

_PORTAL = "@PORTAL@"
_UNFIT = frozenset("\"'<>$() \\")


def render_pages(portal_url: str) -> Mapping[str, str]:
    """Return each file of the hotspot's html directory by its name, for this portal.

    Raises `ValueError` for an address that the page would have to escape: RouterOS cannot.
    """
    parts = urlsplit(portal_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ValueError("the portal's address must be http:// or https:// without a query")
    if not portal_url.isascii() or not portal_url.isprintable() or _UNFIT & set(portal_url):
        raise ValueError("the portal's address may not hold quotes, spaces or $()")
    folder = files("provisioning").joinpath("hotspot")
    return {
        page.name: page.read_text("ascii").replace(_PORTAL, portal_url.rstrip("/"))
        for page in folder.iterdir()
    }
