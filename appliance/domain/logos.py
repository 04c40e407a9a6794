"""A brand's picture as a part of the page itself: who has not paid can fetch nothing else."""

import base64

LARGEST = 16 * 1024
"""In bytes; every page carries it."""

_KINDS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}


def data_uri(content: bytes) -> str:
    """Return a picture as an address that holds it; raise `ValueError` for what is not taken.

    An SVG could run things, so it is none of those.
    """
    if len(content) > LARGEST:
        raise ValueError(f"may have {LARGEST // 1024} KB at most: every page carries it")
    kind = next((kind for kind, head in _KINDS.items() if content.startswith(head)), "")
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind = "image/webp"
    if not kind:
        raise ValueError("must be a PNG, JPEG or WebP picture")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
