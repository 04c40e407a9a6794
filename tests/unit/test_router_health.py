"""What of the router's state an operator hears."""

import logging
from dataclasses import replace

import pytest

from appliance.domain.errors import RouterUnreachable
from appliance.domain.health import RouterHealth
from appliance.flows.alarms import Alarms
from appliance.router.hotspot import Hotspot
from appliance.router.way import Values, Wanted
from appliance.router.wire import Row, refusal
from tests.gate import OpenGate

WELL = RouterHealth(way="api", seconds=0.01, version="7.21", online=10, licence=4)


def test_a_router_that_is_well_raises_no_alarm() -> None:
    assert WELL.alarms() == []
    assert replace(WELL, licence=6, online=5_000).alarms() == []
    assert replace(WELL, licence=None, online=5_000).alarms() == []


@pytest.mark.parametrize(
    ("health", "alarm"),
    [
        (replace(WELL, online=180), "180 devices online, the licence allows 200"),
        (replace(WELL, licence=1, online=1), "1 devices online, the licence allows 1"),
        (replace(WELL, licence=5, online=450), "450 devices online, the licence allows 500"),
        (
            replace(WELL, api_sessions=18, most_api_sessions=20),
            "18 API sessions open, the router allows 20",
        ),
        (replace(WELL, seconds=3.21), "the router takes 3.2 s for an answer"),
        (replace(WELL, silent=("ssh: gone",)), "one way to the router is out, ssh: gone"),
    ],
)
def test_each_alarm_says_what_is_wrong(health: RouterHealth, alarm: str) -> None:
    assert health.alarms() == [alarm]


async def test_an_alarm_is_said_as_long_as_it_stands_and_its_end_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate, told = OpenGate(), list[RouterHealth | None]()
    alarms = Alarms(router=gate, told=told.append)
    caplog.set_level(logging.INFO, "appliance.flows.alarms")
    gate.away = True
    assert await alarms.look() == await alarms.look() == ("it does not answer, away",)
    gate.away = False
    assert await alarms.look() == await alarms.look() == ()
    assert [health is None for health in told] == [True, True, False, False]
    said = [record.getMessage() for record in caplog.records]
    assert said == ["router alarm: it does not answer, away"] * 2 + ["router well again"]


class Told:
    """A router that says what it is told to, by menu; what is missing it does not know."""

    def __init__(self, menus: dict[str, list[Row]]) -> None:
        self.menus = menus

    async def rows(self, wanted: Wanted) -> list[Row]:
        if wanted.menu not in self.menus:
            raise refusal("no such command prefix")
        return self.menus[wanted.menu]

    async def single(self, menu: str, names: tuple[str, ...]) -> Row:
        return (await self.rows(Wanted(menu, names)))[0]

    async def tell(self, menu: str, verb: str, values: Values, row_id: str | None = None) -> None:
        raise RouterUnreachable(f"{menu} {verb}")


async def test_health_is_read_from_what_the_router_says() -> None:
    menus: dict[str, list[Row]] = {
        "system/resource": [{"version": "7.21.4 (stable)"}],
        "system/identity": [{"name": "Gate"}],
        "system/license": [{"nlevel": "4"}],
        "ip/hotspot/active": [{".id": "*1"}, {".id": "*2"}],
        "user/active": [{".id": "*1", "via": "api"}, {".id": "*2", "via": "winbox"}],
        "ip/service": [{"name": "api", "max-sessions": "20"}],
    }
    health = await Hotspot(Told(menus), "api").health()
    assert (health.version, health.online, health.licence) == ("7.21.4 (stable)", 2, 4)
    assert health.identity == "Gate"
    assert (health.api_sessions, health.most_api_sessions) == (1, 20)


async def test_what_a_version_does_not_say_is_left_open() -> None:
    menus: dict[str, list[Row]] = {
        "system/resource": [{"version": "6.49.18"}],
        "system/license": [{"level": "p1"}],
        "ip/hotspot/active": [],
    }
    health = await Hotspot(Told(menus), "ssh").health()
    assert (health.way, health.online) == ("ssh", 0)
    assert health.licence is health.api_sessions is health.most_api_sessions is None
