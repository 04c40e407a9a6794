"""A probe: a question that goes out to the public address and must come home to this box.

It proves itself by the path secret, and so does the answer. Keys of their own keep it apart from
whatever else that secret signs: no probe is ever taken for a callback, and no callback for a probe.
"""

import hmac
import re
from collections import deque
from dataclasses import dataclass, field

from appliance.domain import ids

_ONCE = 256
_QUESTION = re.compile("([0-9a-f]{32})([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the box says of a probe that came home."""

    box: str
    """Another one after every start."""
    address: str | None
    """Whose call it seemed to be."""
    proof: str


def question(secret: str) -> str:
    """Return a new question, in hex, fit for an address."""
    nonce = ids.new_token()
    return nonce + ids.mark(f"probe {secret}", nonce)


def is_answered(secret: str, asked: str, answer: Answer) -> bool:
    """Say whether a box with this secret gave this answer to this question."""
    return hmac.compare_digest(answer.proof.encode(), _proof(secret, asked, answer.box).encode())


@dataclass(slots=True)
class Respondent:
    """Answers each question once, and keeps nothing but the last few of them in memory."""

    secret: str = field(repr=False)
    box: str = field(default_factory=ids.new_id)
    _asked: deque[str] = field(default_factory=lambda: deque(maxlen=_ONCE), repr=False)

    def answer(self, asked: str, address: str | None) -> Answer | None:
        """Return the answer; None to whoever does not know the secret, or asks again."""
        found = _QUESTION.fullmatch(asked)
        if found is None or asked in self._asked:
            return None
        if not hmac.compare_digest(found[2], ids.mark(f"probe {self.secret}", found[1])):
            return None
        self._asked.append(asked)
        return Answer(self.box, address, _proof(self.secret, asked, self.box))


def _proof(secret: str, asked: str, box: str) -> str:
    return ids.mark(f"probed {secret}", f"{asked} {box}")
