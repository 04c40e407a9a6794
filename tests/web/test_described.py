"""Every route is described, and is as its description says, whatever is sent to it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from appliance.web.console import shell
from tests.web.conftest import Known
from tests.web.house import CRON_SECRET, DOORS, House

FOLDER = Path(__file__).parents[2] / "docs" / "openapi"
DESCRIBED = {door: schemathesis.openapi.from_path(FOLDER / f"{door}.yaml") for door in DOORS}
FUZZED = [
    pytest.param(door, operation, mode, id=f"{door} {operation.label} {mode}")
    for door, schema in DESCRIBED.items()
    for path, item in schema.raw_schema["paths"].items()
    for operation in (schema[path][method] for method in item)
    for mode in GenerationMode
    if mode.is_positive or operation.body or operation.query  # else nothing can be wrong
]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.headers["Authorization"] = f"Bearer {CRON_SECRET}"
        yield made


@pytest.mark.parametrize("door", DOORS)
def test_the_description_is_openapi(door: str) -> None:
    DESCRIBED[door].validate()
    assert DESCRIBED[door].raw_schema["openapi"] == "3.1.0"


@pytest.mark.parametrize("door", DOORS)
def test_what_is_served_is_described_and_what_is_described_is_served(
    at_home: House, door: str
) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in at_home.applications[door].router.routes()
        if route.resource is not None and route.method != "HEAD"  # goes with GET
        if door != "admin" or route.resource.canonical in shell.OPEN - {shell.SIGN_IN}
    }
    paths = DESCRIBED[door].raw_schema["paths"]
    described = {(method.upper(), path) for path, item in paths.items() for method in item}
    assert served == described


@pytest.mark.parametrize(("door", "operation", "mode"), FUZZED)
def test_whatever_is_sent_the_answer_is_one_that_is_described(
    at_home: House,
    known: Known,
    session: requests.Session,
    door: str,
    operation: Any,
    mode: GenerationMode,
) -> None:
    @settings(
        max_examples=settings().max_examples // 10,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(mode))
        for part in ("path_parameters", "query", "body"):
            sent, names = getattr(case, part), named(operation, part)
            if isinstance(sent, dict) and names:
                setattr(case, part, sent | data.draw(known.some(names)))
        url = at_home.addresses[door]
        answer = case.call(base_url=url, session=session, allow_redirects=False)
        case.validate_response(answer, checks=CHECKS)

    holds()


def named(operation: Any, part: str) -> set[str]:
    """Return the names of this part that are described."""
    if part != "body":
        return {one.name for one in getattr(operation, part)}
    return set(re.findall(r"'(\w+)':", str([body.definition for body in operation.body])))
