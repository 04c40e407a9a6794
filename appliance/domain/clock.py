"""Time as the rest of the product handles it."""

from datetime import datetime


def whole_milliseconds(moment: datetime) -> datetime:
    """Return the moment as every store keeps it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
