"""The contract of the stores also holds the one in memory that faster tests stand on."""

import pytest

from tests.conftest import STORES


@pytest.fixture(params=[*STORES, "memory"])
def store_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind
