"""The form of a paybill: what stands in it, and what was written there."""

from collections.abc import Mapping
from typing import cast

from appliance.domain.paybills import Environment, Paybill, PaybillType
from appliance.flows.enrol import Entry

SECRETS = ("consumerKey", "consumerSecret", "passKey", "securityCredential")
USUAL = {
    "number": "",
    "name": "",
    "type": "paybill",
    "storeNumber": "",
    "c2bShortCode": "",
    "userId": "",
    "pull": "",
    "initiatorName": "",
}
"""What stands in the form of a new one."""


def written(paybill: Paybill) -> dict[str, str]:
    """Return what stands in the form; secrets never do."""
    info, config = paybill.paybill_info, paybill.config
    return {
        "number": info.number,
        "name": info.name,
        "type": info.type,
        "environment": config.environment,
        "storeNumber": info.store_number or "",
        "c2bShortCode": config.c2b_short_code or "",
        "userId": paybill.user_id or "",
        "pull": "on" if config.pull else "",
        "initiatorName": paybill.credentials.initiator_name or "",
    }


def entry_of(form: Mapping[str, str]) -> Entry:
    """Return what was written, before anybody has looked whether it makes sense."""

    def text(name: str) -> str:
        return form.get(name, "").strip()

    return Entry(
        number=text("number"),
        name=text("name"),
        type=cast("PaybillType", text("type")),
        environment=cast("Environment", text("environment")),
        store_number=text("storeNumber") or None if text("type") == "till" else None,
        c2b_short_code=text("c2bShortCode") or None,
        user_id=text("userId") or None,
        pull=bool(text("pull")),
        initiator_name=text("initiatorName") or None,
        consumer_key=text("consumerKey"),
        consumer_secret=text("consumerSecret"),
        pass_key=text("passKey"),
        security_credential=text("securityCredential"),
    )
