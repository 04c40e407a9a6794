"""What no log line may hold: phones, tokens, PINs, voucher codes, receipts, secrets of paths.

A receipt is no secret by itself, but with the phone that paid it opens a purchase.
"""

import logging
import re

from appliance.log import HIDDEN

_CODE = "ACDEFGHJKMNPQRTUVWXY34679"
_LEAK = re.compile(
    r"(?<![0-9A-Za-z])(?:\+?254|0)[17]\d{8}(?![0-9A-Za-z])"  # a phone
    r"|(?<![0-9A-Za-z])[0-9a-fA-F]{32,}(?![0-9A-Za-z])"  # a token, or the secret of a path
    r"|ws_CO_\w+"  # ends with a phone
    rf"|\b(?=[{_CODE}]*[A-Z])[{_CODE}]{{10}}\b"  # a voucher
    r"|\b(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z0-9]{10}\b"  # a receipt
    r"|\b(?:pin|PIN|PassKey|passKey|consumerSecret)\b[=:]|\b(?:Bearer|Basic) \w"
)


class Eavesdropper(logging.Handler):
    """Hears every record of this process, as it would be written without anything hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def leaks(lines: list[str]) -> list[str]:
    """Return the lines that hold what no line may; also those where something had to be hidden."""
    return [line for line in lines if HIDDEN in line or _LEAK.search(line)]
