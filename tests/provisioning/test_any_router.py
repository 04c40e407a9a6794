"""Whatever was on the router before: it is set up, however often cut, and left as it was."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.versions import NAMES
from provisioning.wish import Wish
from tests.provisioning.routers import (
    PLANS,
    DeviceDoor,
    Killed,
    MortalDoor,
    a_wish,
    exported,
    file_names,
    left_to_do,
    set_up,
    taken_back,
)

names = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=12)
comments = st.one_of(names, st.sampled_from(["hotspot-applianc", "hotspot-appliance2", "was =x"]))


@st.composite
def devices(draw: st.DrawFn) -> Device:
    """A router somebody has used."""
    device = Device(Faults(), version=draw(st.sampled_from(NAMES)))
    device.faults.set({"has_flash": draw(st.booleans())})
    config, api = device.hotspot.config, device.services.table.named("api")
    assert api is not None
    (profile,) = [i for i, row in config.server_profiles.rows.items() if row["name"] == "hsprof1"]
    methods = ["cookie", "http-chap", "http-pap", "mac-cookie", "https"]
    changes = {
        "login-by": ",".join(draw(st.lists(st.sampled_from(methods), min_size=1, unique=True))),
        "html-directory-override": draw(st.sampled_from(["", "shop", "hotspot-appliance"])),
        "name": draw(st.sampled_from(["hsprof1", "my profile", "p|q (50%)", "a.b"])),
    }
    config.server_profiles.set([profile], changes)
    (server,) = config.servers.rows
    config.servers.set([server], {"profile": changes["name"]})
    limits = ["", "127.0.0.0/8", "10.0.0.0/8,127.0.0.1/32"]
    device.services.table.set([api[0]], {"address": draw(st.sampled_from(limits))})
    for comment in draw(st.lists(comments, max_size=3)):
        config.walled_garden.add({"dst-host": "mine.example.com", "comment": comment})
        config.walled_garden_ip.add({"dst-host": "mine.example.com", "comment": comment})
        config.bindings.add({"address": "10.5.50.9", "comment": comment})
    device.ntp["enabled"] = draw(st.sampled_from(["true", "false"]))
    return device


wishes = st.builds(
    a_wish,
    plans=st.lists(st.sampled_from(PLANS), unique=True).map(tuple),
    hosts=st.lists(st.sampled_from(["a.example.com", "b.example.com"]), unique=True).map(tuple),
    ntp=st.sampled_from(["pool.ntp.org", "10.0.0.1"]),
    limit_services=st.booleans(),
    ssh=st.booleans(),
    box_mac=st.sampled_from([None, "02:00:00:00:00:01"]),
)


def ours_aside(device: Device) -> list[str]:
    return sorted(exported(device).splitlines())


@given(devices(), st.lists(wishes, min_size=1, max_size=3), st.data())
def test_changing_wishes_and_cuts_leave_no_trace(
    device: Device, asked: list[Wish], data: st.DataObject
) -> None:
    async def story() -> None:
        door = DeviceDoor(device)
        await door.print("/file")  # where there is flash, it shows itself with the first look
        before, files = ours_aside(device), file_names(device)
        for wish in asked:
            try:
                cut = data.draw(st.integers(0, 40), label="cut at")
                await set_up(MortalDoor(door, cut, data.draw(st.booleans())), wish)
            except Killed:
                await set_up(door, wish)
            assert await left_to_do(door, wish) == []
        try:
            cut = data.draw(st.integers(0, 40), label="removal cut at")
            await taken_back(MortalDoor(door, cut, data.draw(st.booleans())))
        except Killed:
            await taken_back(door)
        after = ours_aside(device)
        assert set(before) ^ set(after) == set()
        assert (after, file_names(device)) == (before, files)

    asyncio.run(story())
