"""REST as version 7 has it: the same menus over HTTP, one sign-in for every request."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import BasicAuth, web

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.accounts import Account
from appliance.sandbox.routeros.actions import Answer, Request
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.tables import Row

_MISSING = frozenset({"no such item (4)", "no such command", "no such command prefix"})


class Rest:
    """Serves `/rest`."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def add_to(self, app: web.Application) -> None:
        """Add what there is; version 6 has none of it."""
        if self._device.version.seven:
            app.router.add_route("*", "/rest/{path:.+}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        account = self._account(request)
        if account is None or "rest-api" not in account.policies:
            return _error(HTTPStatus.UNAUTHORIZED)
        try:
            body = json.loads(await request.text() or "{}")
            given = {name: _word(value) for name, value in body.items()}
            return self._performed(request, given, account)
        except (ValueError, AttributeError):
            return _error(HTTPStatus.BAD_REQUEST, "failed to parse JSON")
        except traps.Trap as trap:
            if trap.message in _MISSING:
                return _error(HTTPStatus.NOT_FOUND)
            return _error(HTTPStatus.BAD_REQUEST, trap.message)

    def _performed(
        self, request: web.Request, given: Mapping[str, str], account: Account
    ) -> web.Response:
        path, _, last = f"/{request.match_info['path'].strip('/')}".rpartition("/")
        whole = f"{path}/{last}"
        match request.method:
            case "GET" if whole in self._device.menus:
                rows = self._rows(whole, account, request.query)
                single = self._device.menus[whole].single
                return web.json_response(rows[0] if single else rows)
            case "GET":
                return web.json_response(self._one(path, last, account))
            case "PUT":
                made = self._perform(whole, "add", given, account).ret or ""
                return web.json_response(self._one(whole, made, account), status=201)
            case "PATCH":
                row_id = self._one(path, last, account)[".id"]
                self._perform(path, "set", {**given, ".id": row_id}, account)
                return web.json_response(self._one(path, row_id, account))
            case "DELETE":
                row_id = self._one(path, last, account)[".id"]
                self._perform(path, "remove", {".id": row_id}, account)
                return web.Response(status=HTTPStatus.NO_CONTENT)
            case _:
                answer = self._perform(path, last, given, account)
                ret = {} if answer.ret is None else {"ret": answer.ret}
                return web.json_response(ret or answer.rows)

    def _rows(self, path: str, account: Account, wanted: Mapping[str, str]) -> list[Row]:
        names = wanted.get(".proplist")
        given = {} if names is None else {".proplist": names}
        queries = tuple(f"{n}={v}" for n, v in wanted.items() if n != ".proplist")
        request = Request(given, queries, account.policies)
        return self._device.perform(path, "print", request).rows

    def _one(self, path: str, which: str, account: Account) -> Row:
        for row in self._rows(path, account, {}):
            if which in {row.get(".id"), row.get("name")}:
                return row
        raise traps.no_item()

    def _perform(self, path: str, name: str, given: Mapping[str, str], account: Account) -> Answer:
        return self._device.perform(path, name, Request(given, (), account.policies))

    def _account(self, request: web.Request) -> Account | None:
        try:
            told = BasicAuth.decode(request.headers.get("Authorization", ""), encoding="utf-8")
        except ValueError:
            return None
        address = request.remote or ""
        return self._device.accounts.with_password(told.login, told.password, address)


def _word(value: object) -> str:
    """Return a JSON value as the word that the API would be sent."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int):
        return str(value)
    raise ValueError("not a word")


def _error(status: HTTPStatus, detail: str | None = None) -> web.Response:
    said: dict[str, object] = {"error": status.value, "message": status.phrase}
    if detail is not None:
        said["detail"] = detail
    return web.json_response(said, status=status)
