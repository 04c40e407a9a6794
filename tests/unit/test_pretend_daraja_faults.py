"""The fault menu takes what it names, and says what it has when it does not."""

from typing import Any

import pytest

from appliance.sandbox.daraja.faults import Faults, Menu, WrongFault

PHONE = "254712345678"


def test_an_empty_menu_is_a_good_day() -> None:
    menu = Menu()
    menu.set({})
    assert menu.of(PHONE) == menu.of(None) == Faults()


def test_a_phones_own_faults_override_the_default() -> None:
    menu = Menu()
    menu.set({"default": {"push": "busy", "query": "flaky"}, "phones": {PHONE: {"push": "slow"}}})
    assert (menu.of(PHONE).push, menu.of(PHONE).query) == ("slow", "flaky")
    assert menu.of("254712345679").push == "busy"


def test_a_new_menu_replaces_the_whole_old_one() -> None:
    menu = Menu()
    menu.set({"default": {"push": "busy"}, "phones": {PHONE: {"result": "1"}}})
    menu.set({"default": {"query": "flaky"}})
    assert menu.of(PHONE) == Faults(query="flaky")


def test_what_is_shown_can_be_set_again() -> None:
    menu, copy = Menu(), Menu()
    default = {"late_success": 2, "result": "17", "c2b_version": "v1"}
    menu.set({"default": default, "phones": {PHONE: {"result": None}}})
    copy.set(menu.shown())
    assert copy.shown() == menu.shown()
    assert copy.of(PHONE).result is None


@pytest.mark.parametrize(
    ("menu", "named"),
    [
        ([], "JSON object"),
        ({"defaults": {}}, "default, phones"),
        ({"default": {"pussh": "busy"}}, "push, slow_seconds, callback"),
        ({"default": {"push": "bussy"}}, "busy, quota, spike_arrest"),
        ({"default": {"push": None}}, "accept"),
        ({"default": {"push": ["busy"]}}, "accept"),
        ({"default": {"callback_delay": -1}}, "from 0 to 600"),
        ({"default": {"callback_delay": float("nan")}}, "from 0 to 600"),
        ({"default": {"callback_delay": True}}, "number of seconds"),
        ({"default": {"prompt_seconds": "60"}}, "number of seconds"),
        ({"default": {"prompt_seconds": None}}, "number of seconds"),
        ({"default": {"result": 1}}, "as text"),
        ({"default": {"result": "4999"}}, "as text"),
        ({"phones": {"0712345678": {}}}, "2547"),
        ({"phones": {PHONE: {"token": "concurrent"}}}, "default"),
        ({"phones": {PHONE: {"validation": "on"}}}, "validation is nobody's own"),
        ({"phones": {PHONE: "busy"}}, "JSON object"),
        ({"default": {"c2b": "maybe"}}, "after, before, never, twice, late"),
        ({"default": {"c2b_version": "v3"}}, "v1, v2"),
        ({"default": {"validation_seconds": -1}}, "from 0 to 600"),
        ({"default": {"initiator_result": 1}}, "as text"),
    ],
)
def test_what_the_menu_does_not_have_is_refused_and_changes_nothing(menu: Any, named: str) -> None:
    kept = Menu()
    kept.set({"default": {"push": "quota"}})
    with pytest.raises(WrongFault, match=named):
        kept.set(menu)
    assert kept.of(None) == Faults(push="quota")
