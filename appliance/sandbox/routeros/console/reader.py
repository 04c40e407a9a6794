"""A script's characters, one after another, with the place of each."""

import re

from appliance.sandbox.routeros.console.syntax import ConsoleError

_BLANK = re.compile(r"(?:[ \t\r]|\\\r?\n)*")
_GAP = re.compile(r"(?:[ \t\r\n;]|\\\r?\n|#[^\n]*)*")
_ESCAPES = {
    '"': '"',
    "\\": "\\",
    "$": "$",
    "_": " ",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
}
_HEX = re.compile(r"[0-9A-F]{2}")
_FOLDED = re.compile(r"\r?\n[ \t]*")


class Reader:
    """Where in the script we are."""

    def __init__(self, text: str, *, question_mark: bool = False) -> None:
        """Take the script; `question_mark` lets one be escaped by a backslash."""
        self.text = text
        self.at = 0
        self._question_mark = question_mark

    @property
    def char(self) -> str:
        """Return the character here; empty at the end."""
        return self.text[self.at : self.at + 1]

    @property
    def closed(self) -> bool:
        """Say whether a command ends here."""
        return self.char in {"", ";", "\n", "]", "}", ")"}

    def blank(self) -> bool:
        """Go past blanks and folded lines; say whether there were any."""
        return self._past(_BLANK)

    def gap(self) -> None:
        """Go past everything that stands between commands."""
        self._past(_GAP)

    def take(self, pattern: "re.Pattern[str]") -> str | None:
        """Return what matches here and go past it."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def skip(self, word: str) -> bool:
        """Go past this, if it is here."""
        if not self.text.startswith(word, self.at):
            return False
        self.at += len(word)
        return True

    def error(self, problem: str, at: int | None = None) -> ConsoleError:
        """Return the refusal of what is here, or there."""
        place = self.at if at is None else at
        line_start = self.text.rfind("\n", 0, place) + 1
        return ConsoleError(problem, self.text.count("\n", 0, place) + 1, place - line_start + 1)

    def escaped(self) -> bytes:
        """Return what the escape here stands for; the backslash has been read."""
        start = self.at - 1
        digits = self.take(_HEX)
        if digits is not None:
            return bytes.fromhex(digits)
        if self.take(_FOLDED) is not None:
            return b""
        char = self.char
        self.at += 1
        if char == "?" and self._question_mark:
            return b"?"
        if char not in _ESCAPES:
            raise self.error("syntax error", start)
        return _ESCAPES[char].encode()

    def _past(self, pattern: "re.Pattern[str]") -> bool:
        before = self.at
        self.take(pattern)
        return self.at > before
