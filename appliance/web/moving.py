"""A voucher that is in use elsewhere: the customer is asked once whether to move it here."""

from collections.abc import Mapping

from appliance.domain.errors import Invalid

_YES = "yes"
_LONGEST = 64


def wanted(form: Mapping[str, str]) -> bool:
    """Say whether the customer wants it here, whoever is online with it."""
    return form.get("move") == _YES


def offer(path: str, typed: Mapping[str, str], error: Exception | None) -> dict[str, str] | None:
    """Return what to send to the same address again to have it moved; None where it is free."""
    if not isinstance(error, Invalid) or error.reason != "code_in_use":
        return None
    names = ("code",) if path == "/redeem" else ("receipt", "phone")
    return {"move": _YES} | {name: typed.get(name, "")[:_LONGEST] for name in names}
