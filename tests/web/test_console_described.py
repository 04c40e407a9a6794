"""Whatever is sent to a page of the console by who is signed in, the answer is a page."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from appliance.sandbox.config import PASSWORD
from appliance.web.console import shell
from tests.web.conftest import Known
from tests.web.house import House

_TEMPLATES = Path(shell.__file__).parent / "templates"
_NAMED = re.compile(r"""(?:name="|(?:field|choice|text|number|secret)\(")([A-Za-z_-]+)["(]""")
# These end what the test itself goes by, or stay open until somebody goes.
_SPARED = {"/sign-out", "/sessions", "/calls/live", shell.SIGN_IN}
_PARTS = re.compile(r"\{(\w+)\}")


def fields() -> list[str]:
    """Return every field of every form of the console."""
    text = "".join(file.read_text("utf-8") for file in _TEMPLATES.glob("*.html"))
    return sorted(set(_NAMED.findall(text)) - {"csrf"})


def described(at_home: House) -> Any:
    """Return the pages' description: each takes its parts, any query, and any form of ours."""
    form = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in fields()},
    }
    paths: dict[str, dict[str, Any]] = {}
    for route in at_home.applications["admin"].router.routes():
        assert route.resource is not None
        path, method = route.resource.canonical, route.method.lower()
        if method == "head" or path in shell.OPEN | _SPARED:
            continue
        operation: dict[str, Any] = {
            "parameters": [
                {"name": part, "in": "path", "required": True, "schema": {"type": "string"}}
                for part in _PARTS.findall(path)
            ],
            "responses": {"default": {"description": "A page"}},
        }
        if method == "post":
            content = {"application/x-www-form-urlencoded": {"schema": form}}
            operation["requestBody"] = {"content": content}
        else:
            operation["parameters"] += [
                {"name": name, "in": "query", "schema": {"type": "string"}}
                for name in ("before", "view", "state", "plan", "from", "said", "next")
            ]
        paths.setdefault(path, {})[method] = operation
    return schemathesis.openapi.from_dict(
        {"openapi": "3.1.0", "info": {"title": "Console", "version": "1"}, "paths": paths}
    )


@pytest.fixture(scope="module")
def signed_in(at_home: House) -> Iterator[tuple[httpx.Client, str]]:
    with httpx.Client(base_url=at_home.addresses["admin"], timeout=30) as client:
        client.post("/sign-in", data={"password": PASSWORD})
        found = re.search('name="csrf" value="([^"]+)"', client.get("/sessions").text)
        assert found is not None
        yield client, found[1]


@pytest.mark.timeout(300)
def test_whatever_is_sent_to_the_console_the_answer_is_a_page(
    at_home: House, known: Known, signed_in: tuple[httpx.Client, str]
) -> None:
    client, csrf = signed_in
    schema, tried = described(at_home), 0
    for path, item in schema.raw_schema["paths"].items():
        for method in item:
            held(schema[path][method], known, client, csrf)
            tried += 1
    assert tried > 30


def held(operation: Any, known: Known, client: httpx.Client, csrf: str) -> None:
    """Send this page what it may be sent, and more."""

    @settings(
        max_examples=max(3, settings().max_examples // 25),
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(st.data())
    def answers(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy())
        form = dict(case.body) if isinstance(case.body, dict) else {}
        form |= data.draw(known.some(fields()))
        answer = client.request(
            case.method,
            case.formatted_path,
            params={name: str(value) for name, value in (case.query or {}).items()},
            data={**form, "csrf": csrf} if case.method == "POST" else None,
        )
        assert answer.status_code in {200, 303, 400, 404, 409, 413, 429, 503}, answer.text
        kind = answer.headers.get("Content-Type", "")
        pages = ("text/html", "text/csv", "application/pdf")
        assert kind.startswith(pages) or answer.status_code == httpx.codes.SEE_OTHER
        assert "<script>alert" not in answer.text

    answers()
