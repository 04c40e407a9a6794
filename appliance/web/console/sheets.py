"""Lists for a spreadsheet: sent as they are read, and nothing in them is a formula."""

import csv
import io
import logging
from collections.abc import AsyncIterator, Iterable, Sequence

from aiohttp import web

from appliance.domain.errors import ApplianceError
from appliance.sheets.rows import MARK, cell

log = logging.getLogger(__name__)

_AT_ONCE = 64 * 1024


async def sheet(
    request: web.Request, name: str, head: Sequence[str], rows: AsyncIterator[Iterable[object]]
) -> web.StreamResponse:
    """Send rows as a CSV file of this name; one that breaks off arrives broken off."""
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            "Cache-Control": "no-store",
        }
    )
    text = io.StringIO(newline="")
    text.write(MARK)
    writer = csv.writer(text)
    writer.writerow(head)
    await response.prepare(request)
    try:
        async for row in rows:
            writer.writerow([cell(value) for value in row])
            if text.tell() >= _AT_ONCE:
                await response.write(_taken(text))
    except ApplianceError as error:  # the page that would say so can no longer be sent
        log.error("an export broke off code=%s", error.code)
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write(_taken(text))
    await response.write_eof()
    return response


def _taken(text: io.StringIO) -> bytes:
    taken = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return taken
