"""Every page in every state a customer may meet it, with contexts as the portal gives them."""

import base64
from typing import Any

from appliance.web.pages import Look, Pages

Context = dict[str, Any]

NONCE = "5d1f0c9ab2e44f0d8a7c6b3e"
LOOK = Look(brand="Mama Njeri WiFi", support_phone="0712 345 678")
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
CARRY = {
    "mac": "A4:83:E7:12:90:5C",
    "ip": "10.5.50.23",
    "server": "hotspot1",
    "link_login": "http://10.5.50.1/login",
    "dst": "http://connectivitycheck.gstatic.com/generate_204",
    "lang": "sw",
}
EMPTY_FORM = {"plan": "", "phone": "", "code": "", "receipt": ""}
CODE = "ABC123DEF4"
MOVE = {"move": "yes", "code": CODE}


def plan(plan_id: str, name: str, price: int, seconds: int, **more: object) -> Context:
    limits: Context = {"data_limit_bytes": None, "rate_limit": "2M/5M", "devices": 1}
    return {
        "plan_id": plan_id,
        "name": name,
        "price": price,
        "duration_seconds": seconds,
        **limits,
        **more,
    }


PLANS = [
    plan("hour", "1 hour", 10, 3_600),
    plan("hours3", "Quick browse", 20, 10_800, data_limit_bytes=500 << 20),
    plan("day", "1 day", 50, 86_400, rate_limit="5M/10M"),
    plan("week", "Family week", 250, 604_800, rate_limit="5M/10M", devices=3),
    plan("month", "Home month", 1_500, 2_592_000, rate_limit="10M/20M", devices=5),
]


def home(**more: object) -> Context:
    return {
        "plans": PLANS,
        "carry": CARRY,
        "form": EMPTY_FORM,
        "problem": None,
        "move": None,
        "notice": None,
        "device_known": True,
        "ready": [],
        "closed": None,
        "scanned": False,
        **more,
    }


def wait(state: str, reason: str, **more: object) -> Context:
    return {
        "token": "t0ken",
        "state": state,
        "reason": reason,
        "amount": 20,
        "phone_masked": "0712 ••• 678",
        "seconds_left": 87,
        "code": None,
        "refresh_seconds": 4,
        "status_url": "/api/captive/status/t0ken",
        "here_url": "/wait/t0ken",
        "done_url": "/done/t0ken",
        "again_url": None,
        "locked_seconds": 0,
        **more,
    }


def done(**more: object) -> Context:
    return {
        "code": CODE,
        "online": True,
        "seconds_left": 10_740,
        "plan_name": "Quick browse",
        "receipt": "QKH94M1Z11",
        "continue_url": "http://example.com/",
        "reason": "online",
        "random_mac": False,
        "token": "t0ken",
        "carry": {"lang": "sw"},
        "devices": [],
        "most_devices": 1,
        "following": None,
        "more_url": None,
        **more,
    }


def payer(receipt: str = "QKH94M1Z11", phone: str = "", **more: object) -> Context:
    return {
        "carry": CARRY,
        "form": {"receipt": receipt, "phone": phone},
        "code": None,
        "problem": None,
        "move": None,
        "home_url": "/?buy=1",
        **more,
    }


def failed(state: str, reason: str, **more: object) -> Context:
    return {
        "state": state,
        "reason": reason,
        "amount": 20,
        "carry": CARRY,
        "form": {"plan": "hours3", "phone": "0712345678"},
        "locked_seconds": 0,
        "plan_name": "Quick browse",
        "home_url": "/?buy=1",
        **more,
    }


def away(reason: str, **more: object) -> Context:
    return {
        "away": reason,
        "voucher_url": "http://10.5.50.1/login?var=voucher",
        "again_url": "/?lang=sw",
        **more,
    }


def _wrong(field: str, reason: str, **typed: str) -> Context:
    return home(problem={"field": field, "reason": reason}, form=EMPTY_FORM | typed)


READY = [
    {"code": CODE, "seconds_left": 8_040, "online": True, "follows": False},
    {"code": CODE, "seconds_left": 3_600, "online": False, "follows": True},
]
DEVICES = [{"name": f"{n}" * 16, "seconds": 7_500 // n} for n in (1, 2, 3)]

SAMPLES: dict[str, Context] = {
    "home-plans": home(),
    "home-chosen": home(form=EMPTY_FORM | {"plan": "day", "phone": "0712 345 678"}),
    "home-single": home(plans=PLANS[:1], device_known=False),
    "home-scanned": home(scanned=True, form=EMPTY_FORM | {"code": CODE}),
    "home-ready": home(ready=READY, notice_key="router.uptime_limit"),
    "home-closed": home(closed_key="problem.sales_closed"),
    "home-empty": home(plans=[]),
    "home-bad_phone": _wrong("phone", "phone_invalid", plan="day", phone="0712"),
    "home-bad_plan": _wrong("plan", "plan_missing", phone="0712345678"),
    "home-bad_code": _wrong("code", "code_unknown", code="ABC123DEF5"),
    "home-code_in_use": _wrong("code", "code_in_use", code=CODE) | {"move": MOVE},
    "payer-asked": payer(),
    "payer-either": payer(CODE, code=CODE, problem={"field": "code", "reason": "code_unknown"}),
    "payer-bad_phone": payer(phone="07", problem={"field": "phone", "reason": "phone_invalid"}),
    "payer-in_use": payer(
        phone="0712345678",
        problem={"field": "code", "reason": "code_in_use"},
        move={"move": "yes", "receipt": "QKH94M1Z11", "phone": "0712345678"},
    ),
    "home-bad_all": _wrong("", "too_many"),
    "checking-receipt": {
        "receipt": "QKH94M1Z11",
        "phone": "0712 345 678",
        "phone_masked": "0712 ••• 678",
        "since": 1_795_000_000,
        "carry": CARRY,
    },
    "wait-pending": wait("pending", "check_phone"),
    "wait-late": wait("pending", "check_phone", seconds_left=0),
    "wait-unknown": wait("unknown", "checking", seconds_left=0, again_url="/?buy=1"),
    "wait-locked": wait("unknown", "checking", seconds_left=0, locked_seconds=90),
    "wait-disputed": wait("unknown", "wrong_amount", seconds_left=0),
    "wait-paid": wait("paid", "paid_connecting", code=CODE),
    "wait-router_away": wait("paid", "paid_router_away", code=CODE),
    "wait-device_absent": wait("paid", "paid_device_absent", code=CODE),
    "done-online": done(),
    "done-paid": done(online=False, reason="paid_router_away", receipt=None, continue_url=None),
    "done-random_mac": done(
        random_mac=True, receipt=None, seconds_left=259_200, following="1 day", more_url="/?buy=1"
    ),
    "done-voucher": done(receipt="", continue_url=None, seconds_left=None),
    "done-family": done(devices=DEVICES, most_devices=3, more_url="/?buy=1&plan=week"),
    "failed-no_money": failed("failed", "insufficient_balance"),
    "failed-cancelled": failed("cancelled", "cancelled"),
    "failed-ended": failed("ended", "used_up"),
    "failed-locked": failed("failed", "same_amount_wait", locked_seconds=118),
    "message-unknown": {"reason_key": "problem.page_unknown"},
    "away-home": away("away_home"),
    "away-purchase": away("database_away"),
    "away-paid": away("away_paid", voucher_url=None),
}


def rendered(pages: Pages, sample: str, lang: str, **more: object) -> str:
    """Render a sample with the sentences of its reasons, as the portal does."""
    context = {"nonce": NONCE, "self_links": links(sample), **_worded(pages, sample, lang), **more}
    return pages.render(f"{sample.partition('-')[0]}.html", lang, **context).decode()


def links(sample: str) -> dict[str, str]:
    return {lang: f"/{sample}/{lang}?mac=A4&lang={lang}" for lang in Pages.languages}


def _worded(pages: Pages, sample: str, lang: str) -> Context:
    context = dict(SAMPLES[sample])
    if reason := context.pop("reason", None):
        context["message"] = pages.text(lang, f"reason.{reason}", code=CODE)
    if reason := context.pop("reason_key", None):
        heading = pages.text(lang, "message.heading")
        context |= {"heading": heading, "message": pages.text(lang, reason), "home_url": "/"}
    if reason := context.pop("away", None):
        context["message"] = pages.text(lang, f"problem.{reason}")
    for name in ("notice", "closed"):
        if key := context.pop(f"{name}_key", None):
            context[name] = pages.text(lang, key)
    if problem := context.get("problem"):
        message = pages.text(lang, f"problem.{problem['reason']}", duration="2 min")
        context["problem"] = {"field": problem["field"], "message": message}
    return context
