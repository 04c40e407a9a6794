"""The pretend router's REST, held to `curl`."""

import json
from typing import Any

from appliance.sandbox.routeros.server import PretendRouter, RouterOptions, pretend_router
from tests.contract.clients import curl

USERS = "/rest/ip/hotspot/user"
ADMIN = ("--user", "admin:sandbox")


async def ask(
    router: PretendRouter, method: str, path: str, body: object = None, who: tuple[str, ...] = ADMIN
) -> tuple[int, Any]:
    data = () if body is None else ("--data", json.dumps(body))
    status, said = await curl(router, path, "--request", method, *who, *data)
    return status, json.loads(said) if said else None


async def test_rows_are_made_read_changed_and_removed(router: PretendRouter) -> None:
    status, made = await ask(router, "PUT", USERS, {"name": "A", "limit-uptime": "7200s"})
    assert (status, made["name"], made["limit-uptime"]) == (201, "A", "2h")
    assert (await ask(router, "GET", f"{USERS}/A"))[1] == made
    status, changed = await ask(router, "PATCH", f"{USERS}/{made['.id']}", {"disabled": True})
    assert (status, changed["disabled"]) == (200, "true")
    _, found = await ask(router, "GET", f"{USERS}?name=A&.proplist=name,disabled")
    assert found == [{"name": "A", "disabled": "true"}]
    assert (await ask(router, "DELETE", f"{USERS}/{made['.id']}"))[0] == 204
    gone = {"error": 404, "message": "Not Found"}
    assert await ask(router, "DELETE", f"{USERS}/{made['.id']}") == (404, gone)
    assert await ask(router, "GET", "/rest/ip/hotspott") == (404, gone)


async def test_a_refusal_has_its_detail(router: PretendRouter) -> None:
    status, said = await ask(router, "PUT", USERS, {"name": "admin"})
    detail = "failure: already have user with this name for this server"
    assert (status, said) == (400, {"error": 400, "message": "Bad Request", "detail": detail})
    status, said = await ask(router, "PUT", USERS, {"name": "A", "profile": "nope"})
    assert (status, said["detail"]) == (400, "input does not match any value of profile")
    assert (await ask(router, "PUT", USERS, ["A"]))[0] == 400


async def test_commands_are_posted_and_there_is_one_of_some_things(router: PretendRouter) -> None:
    login = "/rest/ip/hotspot/active/login"
    status, said = await ask(router, "POST", login, {"user": "admin", "ip": "10.0.0.9"})
    assert (status, said["detail"]) == (400, "unknown host IP 10.0.0.9")
    assert (await ask(router, "GET", "/rest/system/identity"))[1] == {"name": "MikroTik"}
    assert (await ask(router, "POST", f"{USERS}/print", {}))[1][0]["name"] == "admin"


async def test_only_those_with_the_policy_come_in(router: PretendRouter) -> None:
    for who in ((), ("--user", "admin:wrong"), ("--user", "appliance:sandbox")):
        assert (await ask(router, "GET", USERS, who=who))[0] == 401


async def test_version_6_has_no_rest() -> None:
    options = RouterOptions(api_port=0, web_port=0, version="6.49", pages={"rlogin.html": "catch"})
    async with pretend_router(options) as old:
        assert await curl(old, USERS, *ADMIN) == (200, "catch")
