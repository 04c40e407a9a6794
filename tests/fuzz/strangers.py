"""The other sides of the conversations that are fuzzed: they say the bytes, and hang up."""

import asyncio
from typing import cast

from appliance.router.line import Line, Login
from appliance.router.pool import Address, Pool
from appliance.router.sentences import Conversation

_NOWHERE = Address(host="127.0.0.1", port=9, username="a", password="b", timeout=5)
_NOBODY = Login(host="127.0.0.1", port=9, username="a", password="b", fingerprint="")


class Client:
    """Both ends of a connection on which these bytes come in, and nothing after them.

    What comes back is kept.
    """

    transport: "Client"

    def __init__(self, raw: bytes) -> None:
        self.reader = asyncio.StreamReader()
        self.reader.feed_data(raw)
        self.reader.feed_eof()
        self.transport = self
        self.said = b""

    @property
    def writer(self) -> asyncio.StreamWriter:
        """Return what is written to: nobody reads it."""
        return cast("asyncio.StreamWriter", self)

    def write(self, raw: bytes) -> None:
        self.said += raw

    async def drain(self) -> None: ...

    def close(self) -> None: ...

    abort = write_eof = close

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1) if name == "peername" else None


class Router(Pool):
    """Connections to a router that says these bytes from its sign-in on, each time anew."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(_NOWHERE)
        self._raw = raw

    async def _connect(self) -> Conversation:
        client = Client(self._raw)
        conversation = Conversation(client.reader, client.writer)
        await conversation.sign_in("a", "b")
        return conversation


class Console(Line):
    """A console that prints this, with the command's own number wherever `@` stands."""

    def __init__(self, text: str, *, complete: bool) -> None:
        super().__init__(_NOBODY)
        self._text = text
        self._complete = complete

    async def run(self, line: str) -> tuple[str, bool]:
        nonce = line.removeprefix(':put "')[:16]
        return self._text.replace("@", nonce), self._complete
