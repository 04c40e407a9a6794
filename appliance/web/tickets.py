"""What is printed of vouchers: in the portal's own words, with what opens it filled in."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from appliance.domain.errors import Invalid
from appliance.domain.vouchers import Voucher
from appliance.sheets import Paper, Ticket, pdf
from appliance.sheets.rows import table
from appliance.web.pages import Look, Pages
from appliance.web.shelf import shown

_NAMES = ("batch", "number", "code", "plan", "price", "durationSeconds", "status", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """Prints vouchers as this box's portal speaks and looks."""

    look: Look
    portal: str
    """The address that customers open."""
    language: str
    """What is spoken where nobody says otherwise."""
    overlay: Path | None = None
    """The operator's own folder of pages and sentences."""

    def printed(
        self, vouchers: Iterable[Voucher], paper: Paper, language: str | None = None
    ) -> bytes:
        """Return a document with those that nobody has used; raise `Invalid` where none is left.

        It reads files and draws for a while: call it in a thread.
        """
        pages = Pages(self.look, overlay=self.overlay)
        left = tickets(vouchers, pages, self.look, self.portal, language or self.language)
        if not left:
            raise Invalid("nothing is left to print: all of them have been used or taken away")
        return pdf(left, paper)


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
