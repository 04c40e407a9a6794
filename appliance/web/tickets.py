"""What is printed of vouchers: in the portal's own words, with what opens it filled in."""

from collections.abc import Iterable
from urllib.parse import urlencode

from appliance.domain.vouchers import Voucher
from appliance.sheets import Ticket
from appliance.sheets.rows import table
from appliance.web.pages import Look, Pages
from appliance.web.shelf import shown

_NAMES = ("batch", "number", "code", "plan", "price", "durationSeconds", "status", "note")


def tickets(
    vouchers: Iterable[Voucher], pages: Pages, look: Look, portal: str, language: str
) -> list[Ticket]:
    """Return what is printed of these vouchers, leaving out what somebody has used already."""
    help_line = f"{pages.text(language, 'page.help')} {look.support_phone}"
    return [
        Ticket(
            brand=look.brand,
            plan=voucher.plan.name,
            price=pages.price(language, voucher.plan.price),
            facts=pages.facts(language, shown(voucher.plan)),
            code=voucher.code,
            address=f"{portal.rstrip('/')}/?{urlencode({'code': voucher.code})}",
            how_to=pages.text(language, "ticket.how_to"),
            help=help_line if look.support_phone else "",
        )
        for voucher in vouchers
        if voucher.in_stock
    ]


def rows(vouchers: Iterable[Voucher]) -> str:
    """Return all of these vouchers as CSV."""
    return table(_NAMES, map(_row, vouchers))


def _row(voucher: Voucher) -> tuple[object, ...]:
    plan, batch = voucher.plan, voucher.batch
    return (
        batch and batch.id,
        batch and batch.number,
        voucher.code,
        plan.name,
        plan.price,
        int(plan.duration.total_seconds()),
        str(voucher.state),
        batch and batch.note,
    )
