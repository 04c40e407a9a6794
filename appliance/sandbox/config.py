"""The files that point an appliance at the pretend neighbours."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from argon2 import PasswordHasher

from appliance.sandbox.addresses import HOST, Ports
from appliance.sandbox.daraja.accounts import MERCHANTS, Merchant
from appliance.sandbox.routeros.hostkeys import fingerprint, well_known
from appliance.sandbox.sms import gateway

ROUTER_ID = "sandbox-router"
PASSWORD = "sandbox"  # noqa: S105
ACCOUNT_WORD = "WIFI"
"""What somebody types as account at the M-Pesa menu to buy a plan by its price."""
_PLANS: tuple[Mapping[str, object], ...] = (
    {"id": "half-hour", "name": "Quick", "price": 5, "durationSeconds": 1800, "rateLimit": "2M/3M"},
    {"id": "hour", "name": "One hour", "price": 10, "durationSeconds": 3600, "rateLimit": "2M/5M"},
    {"id": "day", "name": "Whole day", "price": 50, "durationSeconds": 86400, "rateLimit": "3M/8M"},
    {
        "id": "week",
        "name": "Family week",
        "price": 250,
        "durationSeconds": 604800,
        "rateLimit": "5M/10M",
        "devices": 3,
    },
)


def write(data_dir: Path, ports: Ports, mongodb: str | None = None) -> tuple[Path, Path]:
    """Write `appliance.toml` and `seed.toml` into the folder and return their paths."""
    data_dir.mkdir(parents=True, exist_ok=True)
    settings, seed = data_dir / "appliance.toml", data_dir / "seed.toml"
    for file in (settings, seed):
        file.touch(mode=0o600)
        file.chmod(0o600)
    settings.write_text(_settings(data_dir, ports, mongodb), encoding="utf-8")
    seed.write_text(_seed(), encoding="utf-8")
    return settings, seed


def _settings(data_dir: Path, ports: Ports, mongodb: str | None) -> str:
    tables: dict[str, dict[str, object]] = {
        "appliance": {
            "name": "sandbox",
            "data_dir": str(data_dir.resolve()),
            "clock": "trusted",
        },
        "portal": {
            "listen": f"{HOST}:{ports.portal}",
            "public_url": f"http://{HOST}:{ports.portal}",
            "brand": "Mwangaza Wi-Fi",
            "support_phone": "0700 000 000",
        },
        "webhooks": {
            "listen": f"{HOST}:{ports.webhooks}",
            "public_url": f"http://{HOST}:{ports.webhooks}",
            "path_secret": secrets.token_hex(16),
        },
        "admin": {
            "listen": f"{HOST}:{ports.admin}",
            # Weak on purpose: everybody knows this password.
            "password_hash": PasswordHasher(1, 8, 1).hash(PASSWORD),
        },
        "daraja": {"environment": "sandbox", "base_url": f"http://{HOST}:{ports.daraja}"},
        "sms": {
            "provider": "africastalking",
            "username": gateway.USERNAME,
            "api_key": gateway.API_KEY,
            "sender_id": "MWANGAZA",
            "base_url": f"http://{HOST}:{ports.daraja}",
            "reminders": 10,
            "alerts_to": "0700 000 000",
        },
        "router": {
            "id": ROUTER_ID,
            "host": HOST,
            "username": "appliance",
            "password": "sandbox",
            "api_port": ports.router_api,
            "ssh_port": ports.router_ssh,
            "ssh_fingerprint": fingerprint(well_known().asbytes()),
        },
    }
    if mongodb is not None:
        tables["mongodb"] = {"uri": mongodb}
    return "\n".join(table(f"[{name}]", values) for name, values in tables.items())


def _seed() -> str:
    owner = table("[[users]]", {"id": "sandbox-owner"})
    router = table(
        "[[routers]]", {"id": ROUTER_ID, "name": "Sandbox router", "userId": "sandbox-owner"}
    )
    parts = [owner, router]
    parts += [_paybill(merchant) for merchant in MERCHANTS]
    parts += [
        table("[[plans]]", {**plan, "order": n, "accountWord": ACCOUNT_WORD})
        for n, plan in enumerate(_PLANS)
    ]
    return "\n".join(parts)


def _paybill(merchant: Merchant) -> str:
    """Return a paybill in the shape the owner's programs share; the company's has no owner."""
    owner = {"userId": "sandbox-owner"} if merchant.type == "till" else {}
    info: dict[str, object] = {
        "number": merchant.till or merchant.short_code,
        "name": merchant.name,
        "type": merchant.type,
    }
    if merchant.till is not None:
        info["storeNumber"] = merchant.short_code
    keys = {
        "consumerKey": merchant.consumer_key,
        "consumerSecret": merchant.consumer_secret,
        "passKey": merchant.passkey,
    }
    return "\n".join(
        (
            table("[[paybills]]", {"status": "active", **owner}),
            table("[paybills.paybillInfo]", info),
            table("[paybills.credentials]", keys),
            table("[paybills.config]", {"environment": "sandbox"}),
        )
    )


def table(heading: str, values: Mapping[str, object]) -> str:
    """Return one TOML table; JSON's text and numbers are TOML's too."""
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join((heading, *lines, ""))
