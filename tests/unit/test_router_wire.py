from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain import hosts
from appliance.domain.devices import Device
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.router import wire


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("1h", 3600),
        ("1d2h", 93600),
        ("1w2d", 777600),
        ("2h30m", 9000),
        ("01:00:05", 3605),
        ("1d01:00:00", 90000),
        ("1w2d01:00:00", 781200),
    ],
)
def test_times_are_read_in_every_form(text: str, seconds: int) -> None:
    assert wire.duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["x", "1", "h1", "1h x", "1y"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a RouterOS time"):
        wire.duration(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_what_we_write_we_read(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    assert wire.duration(wire.seconds(length)) == length


LONG = st.integers(0, 10**25)


@given(
    st.builds("{}w{}d{}h".format, LONG, LONG, LONG) | st.builds("{}w{}:00:59".format, LONG, LONG)
)
def test_a_time_however_long_is_read_or_refused(text: str) -> None:
    row = {"user": "a", "mac-address": "02:00:00:00:00:05", "address": "1", "uptime": text}
    with suppress(RouterRefused):
        assert wire.sessions([row])[0].uptime >= timedelta()


def test_values_stay_text_and_may_hold_anything() -> None:
    words = ("=name=12345", "=comment=yes", "=x=a=b", "=empty=", ".tag=7", "plain")
    assert wire.row(words) == {"name": "12345", "comment": "yes", "x": "a=b", "empty": ""}


def test_empty_attributes_are_left_out() -> None:
    assert wire.attributes({"name": "a", "rate-limit": None, "comment": ""}) == ["=name=a"]


def test_a_mac_has_one_form() -> None:
    assert hosts.mac("aa-bb-cc-dd-ee-ff") == "AA:BB:CC:DD:EE:FF"
    with pytest.raises(ValueError, match="MAC address"):
        hosts.mac("aa:bb")


def test_spent_time_is_told_from_other_refusals() -> None:
    assert wire.refusal("user X has reached uptime limit").used_up
    assert not wire.refusal("no more sessions are allowed for user X").used_up


def test_a_refusal_is_one_line_that_any_log_takes() -> None:
    for error in map(wire.refused, ("no\r\nERROR forged\udcff", "interrupted\nERROR forged\x1b")):
        assert str(error).isprintable()


def test_a_refusal_is_recognised_whatever_its_capitals() -> None:
    assert wire.refusal("User X has reached UPTIME limit").used_up
    assert wire.already_there(wire.refusal("Failure: Already have user with this name"))


def test_a_host_is_seen_at_its_second_address_where_it_has_one() -> None:
    assert wire.seen_at({"address": "10.5.50.2", "to-address": "10.5.50.9"}) == "10.5.50.9"
    for same in ({}, {"to-address": ""}, {"to-address": "10.5.50.2"}):
        assert wire.seen_at({"address": "10.5.50.2", **same}) == "10.5.50.2"


def test_of_several_rows_of_a_device_the_one_that_is_let_in_counts() -> None:
    rows = [
        {"mac-address": "02:00:00:00:00:05", "address": f"10.5.50.{n}", "authorized": word}
        for n, word in enumerate(("false", "true", "false"))
    ]
    assert wire.device(rows) == Device("02:00:00:00:00:05", "10.5.50.1")
    assert wire.device([rows[0], rows[2]]) == Device("02:00:00:00:00:05", "10.5.50.2")
    assert wire.device([]) is None


@pytest.mark.parametrize(
    "row",
    [
        {"address": "10.5.50.2", "user": "a"},
        {"mac-address": "?", "address": "10.5.50.2", "user": "a"},
        {"mac-address": "02:00:00:00:00:05", "user": "a"},
    ],
)
def test_a_row_that_lacks_its_parts_is_a_refusal_and_no_surprise(row: dict[str, str]) -> None:
    with pytest.raises(RouterRefused):
        wire.device([row])
    with pytest.raises(RouterRefused):
        wire.sessions([row | {"uptime": "1h"}])
    with pytest.raises(RouterRefused):
        wire.sessions([{"mac-address": "02:00:00:00:00:05", "address": "1", "uptime": "soon"}])


def test_a_command_that_the_router_gave_up_on_is_not_refused_but_unknown() -> None:
    assert isinstance(wire.refused("action timed out - try again"), RouterUnreachable)
    assert isinstance(wire.refused("failure: interrupted"), RouterUnreachable)
    assert isinstance(wire.refused("no such item (4)"), RouterRefused)
