"""What a paybill's page says where Safaricom, or we, would not do it."""

from appliance.domain.errors import (
    ApplianceError,
    GatewayRefused,
    GatewayUnavailable,
    Invalid,
    Locked,
    SalesClosed,
    TooMany,
)


def not_asked(error: ApplianceError) -> str:
    """Return why no phone was asked for a shilling."""
    match error:
        case Invalid(field="phone"):
            return "Write the phone's number like 0712 345 678."
        case Locked(seconds=seconds) | TooMany(seconds=seconds):
            return f"This phone was asked a moment ago. Try again in {seconds} seconds."
        case SalesClosed():
            return f"Nothing was asked: {error}."
        case _:
            return words_of(error)


def words_of(error: ApplianceError) -> str:
    """Return what Safaricom's answer means, and what mends it."""
    match error:
        case GatewayRefused(reason="merchant_config"):
            return (
                f"Safaricom refused ({error}). Consumer key and secret must be those of this app, "
                "and of this environment: copy both again from the developer portal."
            )
        case GatewayRefused():
            return f"Safaricom refused ({error})."
        case GatewayUnavailable():
            return f"Safaricom was not reached ({error}). Nothing was changed there. Try again."
        case _:
            return str(error) or error.code
