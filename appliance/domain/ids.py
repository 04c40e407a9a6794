"""Identifiers and secrets: what names a document, a page, a callback or a voucher."""

import hashlib
import hmac
import re
import secrets
import time

# Without 0/O, 1/I/L, 2/Z, 5/S, 8/B: a customer reads the code off an SMS and types it on a phone.
_LETTERS = "ACDEFGHJKMNPQRTUVWXY"
_DIGITS = "34679"
CODE_LENGTH = 10
# The owner's other programs make codes that do hold them.
_ALIKE = {"O": "0", "0": "O", "I": "1", "1": "I"}
_MOST_DOUBTS = 4
_SIGNED = re.compile("((?:[0-9a-f]{2}){1,64})([0-9a-f]{32})")
LONGEST = 64
"""No identifier of ours or of an operator is longer."""


def new_id() -> str:
    """Return 24 hex digits that sort by second of birth, the shape of a MongoDB ObjectId."""
    return f"{int(time.time()) & 0xFFFFFFFF:08x}{secrets.token_hex(8)}"


def of_receipt(receipt: str) -> str:
    """Return the id of the payment that a receipt makes by itself: always the same one."""
    return hashlib.sha256(receipt.encode()).hexdigest()[:24]


def new_token() -> str:
    """Return 128 random bits in hex: hex cannot spell a word that Safaricom forbids in a URL."""
    return secrets.token_hex(16)


def fingerprint(token: str) -> str:
    """Return what is stored of a secret token: enough to recognise it, useless to forge it."""
    return hashlib.sha256(token.encode()).hexdigest()


def signed(secret: str, text: str) -> str:
    """Return a short ASCII text in hex, ending in a mark that takes the secret to make."""
    return text.encode("ascii").hex() + mark(secret, text)


def unsigned(secret: str, token: str) -> str | None:
    """Return the text of a token that was made with this secret; None for any other."""
    found = _SIGNED.fullmatch(token)
    if found is None:
        return None
    text = bytes.fromhex(found[1]).decode("latin-1")
    return text if hmac.compare_digest(found[2], mark(secret, text)) else None


def new_voucher_code() -> str:
    """Return a code of 10 look-alike-free characters that always holds a letter (48 bits)."""
    alphabet = _LETTERS + _DIGITS
    body = [secrets.choice(alphabet) for _ in range(CODE_LENGTH - 1)]
    body.insert(secrets.randbelow(CODE_LENGTH), secrets.choice(_LETTERS))
    return "".join(body)


def readings(typed: str) -> list[str]:
    """Return what a typed reference may mean, the likeliest first: O and 0, I and 1 look alike."""
    code = typed_voucher_code(typed)
    doubtful = [place for place, letter in enumerate(code) if letter in _ALIKE]
    if len(doubtful) > _MOST_DOUBTS:
        return [code]
    found = [code]
    for place in doubtful:
        found += [f"{one[:place]}{_ALIKE[one[place]]}{one[place + 1 :]}" for one in found]
    return found


def typed_voucher_code(text: str) -> str:
    """Return the code meant by what somebody typed: case, spaces and dashes do not count."""
    return "".join(text[:64].upper().replace("-", "").split())


def mark(secret: str, text: str) -> str:
    """Return 32 hex digits that take the secret to make."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]
