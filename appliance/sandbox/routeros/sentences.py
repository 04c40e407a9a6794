"""RouterOS words and sentences as bytes: a length in one to five bytes, then the word."""

from asyncio import IncompleteReadError, StreamReader
from collections.abc import Iterable

LONGEST_WORD = 1 << 20
"""Longer than anything a client has reason to send here."""
_LONGEST_SENTENCE = 4 << 20
_PER_WORD = 64

_FORMS = ((0x80, 1, 0), (0x4000, 2, 0x8000), (0x200000, 3, 0xC00000), (0x10000000, 4, 0xE0000000))
_FIVE_BYTES = 0xF0
_CONTROL = 0xF8


class BrokenStream(Exception):
    """The bytes are not RouterOS's; whoever sent them cannot be understood any further."""


def encoded_length(length: int) -> bytes:
    """Return the length prefix of a word."""
    for limit, size, mark in _FORMS:
        if length < limit:
            return (length | mark).to_bytes(size, "big")
    return bytes((_FIVE_BYTES,)) + length.to_bytes(4, "big")


def encoded(words: Iterable[str]) -> bytes:
    """Return one sentence, closed by its empty word."""
    raw = [word.encode("utf-8", errors="surrogateescape") for word in words]
    return b"".join(encoded_length(len(word)) + word for word in raw) + b"\0"


async def read_sentence(reader: StreamReader) -> list[str]:
    """Return the next sentence that is not empty; raise `EOFError` at an orderly end."""
    words: list[str] = []
    left = _LONGEST_SENTENCE
    while True:
        length = await _length(reader, first=not words)
        left -= _PER_WORD + length
        if left < 0:
            raise BrokenStream("sentence too long")
        if length:
            raw = await _exactly(reader, length)
            words.append(raw.decode("utf-8", errors="surrogateescape"))
        elif words:
            return words


async def _length(reader: StreamReader, *, first: bool) -> int:
    head = await reader.read(1)
    if not head:
        if first:
            raise EOFError
        raise BrokenStream("cut inside a sentence")
    byte = head[0]
    if byte >= _CONTROL:
        raise BrokenStream("reserved control byte")
    if byte >= _FIVE_BYTES:
        return _sane(int.from_bytes(await _exactly(reader, 4), "big"))
    size = 1 + sum(byte >= mark for mark in (0x80, 0xC0, 0xE0))
    rest = await _exactly(reader, size - 1)
    marks = (0, 0, 0x8000, 0xC00000, 0xE0000000)
    return _sane(int.from_bytes(head + rest, "big") ^ marks[size])


def _sane(length: int) -> int:
    if length > LONGEST_WORD:
        raise BrokenStream("word too long")
    return length


async def _exactly(reader: StreamReader, size: int) -> bytes:
    try:
        return await reader.readexactly(size)
    except IncompleteReadError as error:
        raise BrokenStream("cut inside a word") from error
