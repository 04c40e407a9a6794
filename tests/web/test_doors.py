"""Each door serves its own routes and nothing else's, and bad manners are nobody's trouble."""

import gzip
import itertools
import logging
import socket
import zlib
from collections.abc import Iterator

import httpx
import pytest

from appliance.web.console import shell
from tests.web.conftest import Known
from tests.web.house import DOORS, House

BOMBS = {"gzip": gzip.compress(b"a" * 10**7), "deflate": zlib.compress(b"a" * 10**7)}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
FORMS = ("/purchase", "/redeem", "/recover")
URLENCODED = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as made:
        yield made


def routes(at_home: House, door: str) -> dict[str, set[str]]:
    """Return the methods of each path that this door really serves."""
    found: dict[str, set[str]] = {}
    for route in at_home.applications[door].router.routes():
        assert route.resource is not None
        found.setdefault(route.resource.canonical, set()).add(route.method)
    return found


@pytest.mark.parametrize(("door", "other"), list(itertools.permutations(DOORS, 2)))
def test_nothing_of_one_door_is_reached_through_another(
    at_home: House, known: Known, http: httpx.Client, door: str, other: str
) -> None:
    ours, theirs = routes(at_home, door), routes(at_home, other)
    assert theirs
    assert ours.keys() & theirs.keys() <= {"/"}  # which is another page at either
    host = at_home.addresses[other].removeprefix("http://")
    for path, method in ((path, m) for path in theirs for m in METHODS if path != "/"):
        for address in known.addresses(path):
            url = at_home.addresses[door] + address
            answer = http.request(method, url, headers={"Host": host})
            if door == "admin":  # where who is not signed in learns of no page
                assert answer.status_code in {303, 401, 405}, (method, path)
                continue
            assert answer.status_code == 404, (method, path)


@pytest.mark.parametrize("door", DOORS)
def test_another_method_than_those_described_is_refused(
    at_home: House, known: Known, http: httpx.Client, door: str
) -> None:
    for path, allowed in routes(at_home, door).items():
        for method in set(METHODS) - allowed:
            answer = http.request(method, at_home.addresses[door] + known.addresses(path)[0])
            if door == "webhooks":  # which tells strangers nothing
                assert answer.status_code == 404
                continue
            if door == "admin" and path not in shell.OPEN:
                assert answer.status_code in {303, 401, 405}
                continue
            assert answer.status_code == 405, (path, method)
            assert set(answer.headers["Allow"].split(",")) == allowed


@pytest.mark.parametrize(
    "target",
    [
        *("http://{admin}/healthz", "//healthz", "/./healthz", "/x/../healthz", "/%68ealthz/"),
        *("/healthz;x", "/api/../healthz", "/hooks/../healthz", "/router/..%2f..%2fhealthz"),
    ],
)
@pytest.mark.parametrize("door", ["portal", "webhooks"])
def test_no_way_of_writing_an_address_leads_to_the_operator(
    at_home: House, door: str, target: str
) -> None:
    admin = at_home.addresses["admin"].removeprefix("http://")
    line = f"GET {target.format(admin=admin)} HTTP/1.1\r\nHost: {admin}\r\n\r\n"
    assert said_raw(at_home, door, line.encode()).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (f"{URLENCODED}; charset=klingon", b"code=1", 400),
        (f"{URLENCODED}; charset=base64", b"code=1", 400),
        (f"{URLENCODED}; charset=utf-16", b"code=12", 400),
        (URLENCODED, b"code=\xff\xfe", 400),
        ("multipart/form-data; boundary=a", b"--a\r\n: \xff\r\n\r\nx\r\n--a--\r\n", 415),
        ("multipart/form-data", b"x", 415),
    ],
)
def test_a_form_that_nobody_can_read_is_refused_kindly(
    at_home: House, http: httpx.Client, path: str, kind: str, body: bytes, status: int
) -> None:
    url = at_home.addresses["portal"] + path
    answer = http.post(url, content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert "We could not read that." in answer.text


@pytest.mark.parametrize(
    ("address", "fine"),
    [
        ("portal /redeem", 404),
        ("portal /api/captive/purchase", 400),
        ("webhooks /hooks/{secret}/c2b/confirmation", 200),
        ("webhooks /hooks/{secret}/c2b/validation", 200),
    ],
)
def test_a_compressed_body_is_held_to_the_same_limit_and_spoils_no_line(
    at_home: House, known: Known, http: httpx.Client, address: str, fine: int
) -> None:
    door, path = address.split()
    (filled,) = known.addresses(path)
    for encoding, body, status in (
        ("gzip", gzip.compress(b"{}"), fine),
        ("deflate", zlib.compress(b"{}"), fine),
        ("gzip", BOMBS["gzip"], 413),
        ("deflate", BOMBS["deflate"], 413),
        ("gzip", b"{}", 400),
        ("deflate", b"\xff\xff{}", 400),
        ("br", b"{}", 400),
        ("identity", b"{}", fine),
    ):
        kind = URLENCODED if path in FORMS else "application/json"
        headers = {"Content-Type": kind, "Content-Encoding": encoding}
        answer = http.post(at_home.addresses[door] + filled, content=body, headers=headers)
        assert answer.status_code == status, (encoding, body[:9])


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Transfer-Encoding: chunked\r\nTrailer: X-A", b"2\r\n{}\r\n0\r\nX-A: b\r\n\r\n"),
        (b"Transfer-Encoding: chunked", b"1;x=y\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
        (b"Content-Type: application/json; charset=klingon\r\nContent-Length: 2", b"{}"),
        (b"Content-Type: multipart/form-data\r\nContent-Length: 2", b"{}"),
        (b"Content-Type: " + URLENCODED.encode() + b"\r\nContent-Length: 3", b"a=b"),
        (b"Content-Type: ;;;\xff\r\nContent-Length: 5", b"\xef\xbb\xbf{}"),
        (b"Expect: 100-continue\r\nContent-Length: 2", b"{}"),
    ],
)
def test_a_callback_is_taken_however_it_is_carried(
    at_home: House, known: Known, headers: bytes, body: bytes
) -> None:
    (address,) = known.addresses("/hooks/{secret}/c2b/confirmation")
    head = b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % (address.encode(), headers)
    assert b'"Accepted"' in said_raw(at_home, "webhooks", head + body, enough=b'"Accepted"')


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "request_",
    [
        b"\xff\x00\r\n\r\n",
        b"GET /wait/5ec2e7?x=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"5ec2e7" * 2000),
        b"POST /redeem HTTP/1.1\r\nHost: x\r\nX: 5ec2e7\xff\x00\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\ncode=5ec2e7",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n5ec2e7",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nz5ec2e7\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_its_words_are_in_no_log(
    at_home: House, caplog: pytest.LogCaptureFixture, door: str, request_: bytes
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = said_raw(at_home, door, request_)
    assert answer.split(b" ")[1][:1] == b"4"
    assert "5ec2e7" not in caplog.text
    assert "request not readable" in caplog.text


def said_raw(at_home: House, door: str, request: bytes, enough: bytes = b"\r\n\r\n") -> bytes:
    """Return the beginning of what this door answers to exactly these bytes."""
    host, _, port = at_home.addresses[door].removeprefix("http://").rpartition(":")
    answer = b""
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(request)
        while enough not in answer and (more := line.recv(65_536)):
            answer += more
    return answer


def test_a_scanned_code_is_shown_and_only_its_button_uses_it(
    at_home: House, http: httpx.Client
) -> None:
    portal = at_home.addresses["portal"]
    answer = http.get(f"{portal}/?code=abc3-def%204gh&dst=http%3A%2F%2Fexample.com%2F")
    assert answer.status_code == 200  # though this device is online already
    voucher, _, plans = answer.text.partition('action="/purchase"')
    assert plans  # they come after it
    assert "<details open>" in voucher
    assert 'name="code" autocomplete="off"' in voucher
    assert 'value="ABC3DEF4GH"' in voucher
    assert "code=ABC3DEF4GH&amp;lang=sw" in answer.text  # it stays in the other language
    assert "referrer" in str(answer.headers).lower()
    again = http.get(f"{portal}/?code=abc3def4gh")
    assert "set-cookie" not in again.headers


@pytest.mark.parametrize(
    "code", ["", "%22%3E%3Cscript%3E", "x" * 33, "%00", "%F0%9F%8E%89", "%ED%B3%BF", "{{7*7}}"]
)
def test_what_is_no_code_is_not_shown_as_one(at_home: House, http: httpx.Client, code: str) -> None:
    answer = http.get(f"{at_home.addresses['portal']}/?buy=1&code={code}")
    assert answer.status_code == 200
    assert "<details open>" not in answer.text
    assert 'maxlength="480" value=""' in answer.text
