"""What a program shows to be let in on the operator's door: a secret of the settings."""

import hmac

from aiohttp import web


def turned_away(request: web.Request, secret: str | None, name: str) -> web.Response | None:
    """Return the answer to who does not show `admin.NAME`; None for who does.

    Where that is not set, there is no such page.
    """
    if secret is None:
        return refused(404, f"{name}_unset", f"admin.{name} is not set")
    shown = request.headers.get("Authorization", "")
    if not hmac.compare_digest(shown.encode(errors="replace"), f"Bearer {secret}".encode()):
        return refused(401, "unauthorized", f"Authorization must be Bearer <{name}>")
    return None


def refused(status: int, code: str, message: str) -> web.Response:
    """Return an error for programs."""
    body = {"success": False, "error": {"code": code, "message": message}}
    headers = {"WWW-Authenticate": "Bearer"} if status == web.HTTPUnauthorized.status_code else {}
    return web.json_response(body, status=status, headers=headers)
