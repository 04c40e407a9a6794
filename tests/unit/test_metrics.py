"""What is scraped: counted as it is stored, nobody named, and all that docs/ asks for."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from appliance import scheduler
from appliance.app.metrics import DECISIONS, TYPES, WAYS, Metrics
from appliance.domain import ids
from appliance.domain.canary import Outcome
from appliance.domain.debts import Kind, owing
from appliance.domain.evidence import Evidence, Source, Verdict
from appliance.domain.health import RouterHealth
from appliance.domain.payments import State
from appliance.domain.records import WebhookLog
from appliance.flows.inbox import REVERSAL_RESULT, REVERSAL_TIMEOUT
from appliance.settings import Canary
from appliance.store.records import books
from tests.contract.test_store import DEVICE, NOON, PAYMENT_ID, payment, voucher
from tests.memory_store import MemoryStore

DOCS = Path(__file__).parents[2] / "docs"
SECOND = timedelta(seconds=1)
HEALTH = RouterHealth(
    way="api", seconds=0.02, version="7.18.2 (stable)", online=3, licence=4, api_sessions=2
)
LABELS = {
    "result",
    "type",
    "decision",
    "way",
    "kind",
    "state",
    "task",
    "version",
    "python",
    "router",
    "le",
}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(WAYS, "kiosk")


def value(metrics: Metrics, name: str, **labels: str) -> float:
    found = [
        sample.value
        for family in text_string_to_metric_families(metrics.scrape().decode())
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) == 1, (name, labels)
    return found[0]


def filled() -> Metrics:
    """Return metrics to which everything has happened."""
    metrics = Metrics(WAYS, "kiosk")
    webhook = WebhookLog(id="w", source="x", type="stk_callback", timestamp=NOON, raw_body="{}")
    metrics.observe(webhook, replace(webhook, status="completed", processing_time=40))
    metrics.observe(webhook, replace(webhook, type="254712345678", status="ABC3DEF4GH"))
    metrics.router(HEALTH, NOON)
    metrics.router(replace(HEALTH, version="254712345678" * 9), NOON)
    metrics.owes([("settle", True), ("254712345678", False)], 9)
    metrics.database(0.001, 4096)
    metrics.token(NOON, NOON)
    metrics.ran("drift", NOON)
    metrics.ran("drift", None)
    metrics.memory(1)
    metrics.waits_for_a_person(1)
    metrics.spool(1, 1)
    metrics.live(certain=lambda: None, lag=lambda: 0.5, late=lambda: ("voucher 3",))
    return metrics


async def test_a_sale_is_counted_once_by_what_became_of_it(metrics: Metrics) -> None:
    kept = books(MemoryStore(), None, metrics.observe).payments
    bought = await kept.insert(payment())
    news = Evidence(source=Source.STK_CALLBACK, verdict=Verdict.PAID, code="0", reason="paid")
    paid = await kept.change(bought, bought.heard(news, NOON))
    await kept.change(paid, replace(paid, receipt="UKN7K2M9QX"))
    assert value(metrics, "edge_payments_total", result="initiating") == 1
    assert value(metrics, "edge_payments_total", result="paid") == 1
    assert value(metrics, "edge_paid_shillings_total") == 10
    assert value(metrics, "edge_payments_total", result="failed") == 0


async def test_a_write_that_lost_is_not_counted(metrics: Metrics) -> None:
    kept = books(MemoryStore(), None, metrics.observe).payments
    bought = await kept.insert(payment())
    await kept.change(bought, bought.never_sent("gone", NOON))
    with pytest.raises(Exception, match=bought.id):
        await kept.change(bought, replace(bought, state=State.PAID))
    assert value(metrics, "edge_payments_total", result="paid") == 0


async def test_the_time_from_paid_to_online_is_measured_the_first_time_by_the_way_it_took(
    metrics: Metrics,
) -> None:
    kept = books(MemoryStore(), None, metrics.observe).vouchers
    paid = await kept.insert(voucher().paid(NOON, PAYMENT_ID))
    online = await kept.change(paid, paid.online(NOON + SECOND, DEVICE, way="ssh"))
    again = await kept.change(online, online.wanted_by(DEVICE, NOON + 60 * SECOND))
    await kept.change(again, again.online(NOON + 90 * SECOND, DEVICE, way="api"))
    assert value(metrics, "edge_grant_seconds_count", way="ssh") == 1
    assert value(metrics, "edge_grant_seconds_sum", way="ssh") == 1
    assert value(metrics, "edge_grant_seconds_count", way="api") == 0


async def test_a_call_is_counted_by_type_and_decision_and_its_time_is_measured(
    metrics: Metrics,
) -> None:
    kept = books(MemoryStore(), None, metrics.observe).webhooks
    arrived = WebhookLog(
        id=ids.new_id(),
        source="x",
        type="stk_callback",
        timestamp=NOON,
        raw_body="{}",
        owed=owing(Kind.SETTLE, NOON),
    )
    stored = await kept.insert(arrived)
    decided = replace(stored, status="completed", processing_time=40, owed=None)
    await kept.change(stored, decided)
    asked = replace(arrived, id=ids.new_id(), type="c2b_validation", status="rejected_amount")
    await kept.insert(asked)
    labels = {"type": "stk_callback", "decision": "completed"}
    assert value(metrics, "edge_webhooks_total", **labels) == 1
    assert value(metrics, "edge_callback_seconds_sum") == 0.04
    labels = {"type": "c2b_validation", "decision": "rejected_amount"}
    assert value(metrics, "edge_webhooks_total", **labels) == 1


def test_labels_are_few_and_name_nobody() -> None:
    text = filled().scrape().decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels.keys() <= LABELS
            if sample.name != "edge_router_info":
                assert not re.search(r"\d{6}", "".join(sample.labels.values())), sample
            assert all(len(shown) <= 32 for shown in sample.labels.values())
    assert "ABC3DEF4GH" not in text
    assert value(filled(), "edge_webhooks_total", type="other", decision="other") == 1
    assert len(text.splitlines()) < 400


def test_a_way_that_is_not_set_up_is_not_told_of_and_one_that_is_out_is() -> None:
    alone, both = Metrics(("api",), "kiosk"), Metrics(WAYS, "kiosk")
    alone.router(HEALTH, NOON)
    assert 'way="ssh"} 1' not in alone.scrape().decode()
    assert value(both, "edge_router_up", router="kiosk") == 0  # it is told of before it was asked
    both.router(replace(HEALTH, silent=("ssh: no answer",)), NOON)
    assert value(both, "edge_router_up", router="kiosk") == 1
    assert value(both, "edge_router_way_up", way="api") == 1
    assert value(both, "edge_router_way_up", way="ssh") == 0
    both.router(None, NOON + SECOND)
    assert value(both, "edge_router_up", router="kiosk") == 0
    assert value(both, "edge_router_way_up", way="api") == 0
    assert value(both, "edge_router_last_success_timestamp") == NOON.timestamp()


def test_what_cannot_be_counted_does_no_harm(metrics: Metrics) -> None:
    strange: Any = "ten"
    metrics.observe(None, replace(payment(), state=State.PAID, amount=strange))
    assert value(metrics, "edge_paid_shillings_total") == 0


def test_what_is_heard_of_an_order_to_give_money_back_has_a_name_of_its_own() -> None:
    assert {REVERSAL_RESULT, REVERSAL_TIMEOUT} <= set(TYPES)
    assert {str(State.REFUNDED), str(State.REVERSING), "given_twice"} <= DECISIONS


@pytest.mark.parametrize("document", ["grafana.json", "alerts.yaml"])
def test_every_metric_that_the_documents_name_is_there(document: str) -> None:
    text = (DOCS / document).read_text(encoding="utf-8")
    parsed = json.loads(text) if document.endswith("json") else yaml.safe_load(text)
    asked = " ".join(_expressions(parsed))
    named = set(re.findall(r"\bedge_\w+", asked))
    there = {
        sample.name
        for family in text_string_to_metric_families(filled().scrape().decode())
        for sample in family.samples
    }
    assert len(named) > 10
    assert named <= there
    for name, wanted in re.findall(r'(result|decision|type|state)=~?"([^"$]+)"', asked):
        known = {*State, *DECISIONS, *TYPES, "other", "waiting", "parked"}
        assert set(wanted.split("|")) <= known, name


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    rules = yaml.safe_load((DOCS / "alerts.yaml").read_text(encoding="utf-8"))
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len({alert["alert"] for alert in alerts}) == len(alerts) > 10
    for alert in alerts:
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert set(alert["annotations"]) == {"summary", "what_to_do"}


def test_no_alert_takes_a_job_for_late_that_is_only_rare() -> None:
    rare = {name: turn.every for name, turn in scheduler.TURNS.items()}
    rare["canary"] = timedelta(minutes=_canary_at_most())
    ((left_out, limit),) = re.findall(r'task!~"(.+?)"} > (\d+)', _rule("EdgeJobOverdue"))
    for name, every in rare.items():
        assert name in left_out.split("|") or every * 3 <= timedelta(seconds=int(limit)), name
    assert "first_sweep" in left_out.split("|"), "once at each start"


@pytest.mark.parametrize("file", ["alerts.yaml", "grafana.json"])
def test_what_is_asked_for_and_shown_goes_by_labels_that_there_are(file: str) -> None:
    text = (DOCS / file).read_text(encoding="utf-8").replace('up{job="edge"}', "")
    selected = [
        name
        for selector in re.findall(r"\bedge_\w+{(.*?)}", text)
        for name in re.findall(r"(\w+)[=!]", selector)
    ]
    shown = re.findall(r"\$labels\.(\w+)|{{\s*(\w+)\s*}}", text)
    named = {*selected, *("".join(pair) for pair in shown)}
    assert len(named) > 2
    assert named <= {*LABELS, "instance"}


def test_canaries_that_stop_have_an_alert_that_a_box_without_any_never_sets_off() -> None:
    rule = _rule("EdgeCanaryStopped")
    (limit,) = re.findall(r"> (\d{2,})", rule)
    assert timedelta(seconds=int(limit)) > timedelta(minutes=_canary_at_most())
    asked = re.findall(r"\bedge_\w+(?:{.*?})?", rule)
    assert asked
    assert all(selector.endswith('{task="canary"}') for selector in asked)
    by_hand = filled()
    by_hand.canary(Outcome(at=NOON, seconds=1))
    assert 'task="canary"' not in by_hand.scrape().decode()


def _rule(name: str) -> str:
    rules = yaml.safe_load((DOCS / "alerts.yaml").read_text(encoding="utf-8"))
    (found,) = (r for group in rules["groups"] for r in group["rules"] if r["alert"] == name)
    return str(found["expr"])


def _canary_at_most() -> int:
    (number, _) = Canary.model_json_schema()["properties"]["every"]["anyOf"]
    return int(number["maximum"])


def _expressions(parsed: Any) -> list[str]:
    if isinstance(parsed, list):
        return [text for inner in parsed for text in _expressions(inner)]
    if not isinstance(parsed, dict):
        return []
    own = [parsed["expr"]] if "expr" in parsed else []
    return own + _expressions([*parsed.values()])
