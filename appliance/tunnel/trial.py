"""Whether a call at the public address arrives in this very daemon, and if not, why not."""

import asyncio
import socket
import ssl
import time
from dataclasses import dataclass
from http import HTTPStatus

import httpx
from pydantic import TypeAdapter, ValidationError

from appliance.domain import probes
from appliance.domain.probes import Answer
from appliance.settings import Settings
from appliance.settings.tunnel import Cloudflared
from appliance.web.knocking import knocking_at

_PATIENCE = 15.0
_LONGEST_ANSWER = 4096
_NOBODY = "192.0.2.1"
"""An address of the documentation; whoever calls claims to be there."""
_ANSWER = TypeAdapter(Answer)
_TUNNEL_DOWN = {502, 503, 504, 521, 522, 523, 530}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of it."""

    url: str
    problem: str | None = None
    """A word for programs: why no callback would arrive."""
    why: str | None = None
    """The same in a sentence, with what to do."""
    round_trip_ms: float | None = None
    address: str | None = None
    """Whose call it seemed to be."""
    header: str | None = None
    warning: str | None = None
    """Callbacks arrive, but where they come from cannot be told."""


class _Failed(Exception):
    def __init__(self, problem: str, why: str) -> None:
        super().__init__(why)
        self.problem = problem


async def tried(settings: Settings) -> Trial:
    """Ask the daemon's door at home, then through its public address; nothing is stored."""
    door, url = settings.webhooks, settings.webhooks.public_url
    secret = door.path_secret.get_secret_value()
    try:
        home = await _asked_at_home(door.listen, secret)
        started = time.monotonic()
        answer = await _asked_outside(settings, secret)
        took = (time.monotonic() - started) * 1000
    except _Failed as failed:
        return Trial(url=url, problem=failed.problem, why=str(failed))
    if answer.box != home.box:
        return Trial(url=url, problem="other_box", why=_OTHER_BOX)
    return Trial(
        url=url,
        round_trip_ms=round(took, 1),
        address=answer.address,
        header=door.client_ip_header,
        warning=_warning(answer.address, door.client_ip_header, url),
    )


async def _asked_at_home(listen: str, secret: str) -> Answer:
    async with knocking_at(listen, _PATIENCE) as http:
        try:
            return await _ask(http, secret, {})
        except httpx.HTTPError as error:
            why = f"The daemon does not answer at {listen} ({type(error).__name__}). Is it running?"
            raise _Failed("daemon_down", f"{why} See: systemctl status hotspot-appliance") from None
        except _NotOurs:
            why = f"What answers at {listen} is not the daemon of these settings. Restart it:"
            raise _Failed("other_daemon", f"{why} systemctl restart hotspot-appliance") from None


async def _asked_outside(settings: Settings, secret: str) -> Answer:
    """Ask through the public address. Raises `_Failed` with what is in the way."""
    url, header = settings.webhooks.public_url, settings.webhooks.client_ip_header
    # Cloudflare turns away who brings its own header; nginx has to overwrite ours.
    lies = header is not None and not isinstance(settings.tunnel, Cloudflared)
    trusted = await asyncio.to_thread(ssl.create_default_context)
    async with httpx.AsyncClient(
        base_url=url, verify=trusted, timeout=_PATIENCE, trust_env=False
    ) as http:
        try:
            return await _ask(http, secret, {header or "": _NOBODY} if lies else {})
        except httpx.HTTPError as error:
            raise _failed_before_an_answer(error, url) from None
        except _NotOurs as answered:
            raise _failed_with(answered.status) from None


class _NotOurs(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def _ask(http: httpx.AsyncClient, secret: str, headers: dict[str, str]) -> Answer:
    """Return the answer of a box with this secret. Raises `_NotOurs` for any other."""
    question = probes.question(secret)
    body = b""
    try:
        sent = http.stream("POST", f"/hooks/{secret}/probe/{question}", headers=headers)
        async with asyncio.timeout(_PATIENCE), sent as reply:
            async for piece in reply.aiter_bytes():
                body += piece
                if len(body) > _LONGEST_ANSWER:
                    break
    except TimeoutError:
        raise httpx.ReadTimeout("it never came to an end") from None
    try:
        answer = _ANSWER.validate_json(body)
    except ValidationError:
        raise _NotOurs(reply.status_code) from None
    if reply.status_code != HTTPStatus.OK or not probes.is_answered(secret, question, answer):
        raise _NotOurs(reply.status_code)
    return answer


_OTHER_BOX = (
    "The call arrived in another box that has the same webhooks.path_secret. Each box needs a "
    "public address and a secret of its own: do not copy settings from box to box."
)


def _failed_before_an_answer(error: httpx.HTTPError, url: str) -> _Failed:
    host = httpx.URL(url).host
    causes = _causes(error)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return _Failed("dns", f"The name {host} is not known. Does it have an A record?")
    wrong = [cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)]
    if wrong:
        why = f"The certificate of {host} is not good: {wrong[0].verify_message}. On the server:"
        return _Failed("tls", f"{why} certbot renew")
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return _Failed("tls", f"{host} does not speak TLS at this port: see nginx there.")
    if isinstance(error, httpx.TimeoutException):
        return _Failed("timeout", f"{host} did not answer in {_PATIENCE:.0f} s. A firewall?")
    return _Failed(
        "unreachable",
        f"{host} cannot be reached ({type(error).__name__}). Is nginx running there, port open?",
    )


def _failed_with(status: int) -> _Failed:
    """Return what an answer means that no daemon with our secret gave."""
    if status in _TUNNEL_DOWN:
        why = f"The server answered {status}: it is there, and the tunnel to the box is down. See:"
        return _Failed("tunnel_down", f"{why} journalctl -u hotspot-appliance-tunnel")
    if status == HTTPStatus.NOT_FOUND:
        return _Failed(
            "not_found",
            "It answered 404: either the server does not pass /hooks/ on, or it leads to another "
            "box, whose webhooks.path_secret is not ours.",
        )
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        why = f"It answered {status}: something in front asks who calls. Safaricom cannot sign in:"
        return _Failed("forbidden", f"{why} let /hooks/ through.")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        why = f"It answered {status}, a redirect, and Safaricom follows none."
        return _Failed("redirect", f"{why} Put the final address into webhooks.public_url.")
    return _Failed("other_server", f"Something else answers there, with {status}.")


def _warning(address: str | None, header: str | None, url: str) -> str | None:
    if header is not None and address == _NOBODY:
        return (
            f"Whoever calls can claim any address: what is in front of the box must overwrite "
            f"{header}, not pass it on."
        )
    if header is not None and address is None:
        return f"No address came in {header}: what is in front of the box does not set it."
    if header is None and url.startswith("https:"):
        return "webhooks.client_ip_header is not set: every call seems to come from the tunnel."
    return None


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found
