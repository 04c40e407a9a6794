"""What prints vouchers, as the settings have it."""

from appliance.settings import Portal
from appliance.web.pages import Look
from appliance.web.tickets import Press


def press(portal: Portal) -> Press:
    """Return what prints as this portal speaks and looks."""
    return Press(
        look=Look(brand=portal.brand, support_phone=portal.support_phone),
        portal=portal.public_url,
        language=portal.default_language,
        overlay=portal.templates_dir,
    )
