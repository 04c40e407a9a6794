"""Whether a script's brackets and quotes close at all: looked at before any of it is run."""

from appliance.sandbox.routeros.console.reader import Reader

_CLOSING = {"{": "}", "[": "]", "(": ")"}
_KINDS = {"}": "brace", "]": "bracket", ")": "parenthesis"}


class Balance:
    """One look through a script."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._open: list[str] = []

    def check(self) -> None:
        """Raise `ConsoleError` where something is left open, or closed that was not."""
        reader = self._reader
        fresh = True
        while reader.char:
            if fresh and reader.char == "#":
                self._comment()
            fresh = self._one(fresh=fresh)
        if self._open and self._open[-1] == '"':
            raise reader.error("expected closing quote")
        if self._open:
            raise reader.error(f"expected closing {_KINDS[self._open[-1]]}")

    def _comment(self) -> None:
        reader = self._reader
        while reader.char not in {"", "\n"}:
            reader.at += 1

    def _one(self, *, fresh: bool) -> bool:
        """Go past one character; say whether a command may begin after it."""
        reader, char = self._reader, self._reader.char
        if not char:
            return False
        reader.at += 1
        if self._open and self._open[-1] == '"':
            self._within_quotes(char)
            return False
        if char == "\\":
            reader.at += 1
        elif char == '"':
            self._open.append('"')
        elif char in _CLOSING:
            self._open.append(_CLOSING[char])
        elif char in _KINDS:
            self._close(char)
        return char in "\n;{" or (fresh and char in " \t\r")

    def _within_quotes(self, char: str) -> None:
        reader = self._reader
        if char == "\\":
            reader.escaped()
        elif char == '"':
            self._open.pop()
        elif char == "$" and reader.char in {"[", "("}:
            self._open.append(_CLOSING[reader.char])
            reader.at += 1

    def _close(self, char: str) -> None:
        if not self._open or self._open.pop() != char:
            raise self._reader.error("syntax error", self._reader.at - 1)
