"""The whole box on loopback, made once for a file of tests, and what its visitors know."""

import time
from collections.abc import Iterable, Iterator

import httpx
import pytest
from hypothesis import strategies as st

from appliance.domain import ids, probes
from tests.web.house import House, house

PHONE = "254712345678"


class Known:
    """Values that lead further than chance would: of a purchase that was paid, and well-meant."""

    def __init__(self, at_home: House) -> None:
        with httpx.Client(base_url=at_home.addresses["portal"]) as http:
            order = {"planId": "day", "phoneNumber": PHONE}
            bought = http.post("/api/captive/purchase", json=order).json()
            deadline = time.monotonic() + 20
            while http.get(bought["statusUrl"]).json()["state"] != "online":
                assert time.monotonic() < deadline
                time.sleep(0.02)
        (push,) = at_home.near.daraja.ledger.pushes
        (paid,) = at_home.near.daraja.ledger.payments
        callback = push.fields["CallBackURL"].rpartition("/")[2]
        question = ids.signed(at_home.path_secret, f"{paid.short_code} {paid.receipt}")
        phones = [PHONE, "0712 345 679", "+254110345678"]
        self.values: dict[str, list[str]] = {
            "secret": [at_home.path_secret],
            "token": [bought["token"], callback, question, probes.question(at_home.path_secret)],
            "name": ["login.html", "api.json"],
            "plan": ["hour", "day"],
            "planId": ["hour", "day"],
            "phone": phones,
            "phoneNumber": phones,
            "code": [bought["voucherCode"], bought["voucherCode"].lower()],
            "receipt": [paid.receipt, "QKH94M1Z11"],
            "since": [str(int(time.time()) - 5), "0", "9" * 30],
            "move": ["yes"],
            "buy": ["1"],
            "error": ["invalid username or password", "uptime limit reached"],
            "lang": ["en", "sw", "xx"],
            "mac": ["02:00:7F:00:01:05", "02-00-7f-00-01-05"],
            "ip": ["127.0.1.5", "::1", "127.0.0.1"],
            "dst": ["http://example.com/", "javascript:alert(1)", "http://[", "http://x\\@y/"],
            "TransID": [paid.receipt],
            "BusinessShortCode": [paid.short_code],
            "BillRefNumber": [bought["voucherCode"], "WIFI"],
            "TransAmount": ["10.00", "50"],
        }

    def some(self, names: Iterable[str]) -> st.SearchStrategy[dict[str, str]]:
        """Return what a visitor may put in some of these places."""
        known = {name: st.sampled_from(self.values[name]) for name in names if name in self.values}
        return st.fixed_dictionaries({}, optional=known)

    def addresses(self, path: str) -> list[str]:
        """Return this path with what is known in its blanks."""
        found = [path]
        for name in ("secret", "token", "name"):
            blank = f"{{{name}}}"
            found = [
                one.replace(blank, value)
                for one in found
                for value in (self.values[name] if blank in one else [""])
            ]
        return found


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Known]]:
    with house(tmp_path_factory.mktemp("house")) as made:
        yield made, Known(made)  # the device's first purchase: it is online with it


@pytest.fixture(scope="module")
def at_home(lived_in: tuple[House, Known]) -> House:
    return lived_in[0]


@pytest.fixture(scope="module")
def known(lived_in: tuple[House, Known]) -> Known:
    return lived_in[1]
