"""A pretend router and an API client signed in to it; a test's file says what is special there."""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from librouteros.api import AsyncApi
from librouteros.exceptions import LibRouterosError

from appliance.sandbox.routeros.server import PretendRouter, RouterOptions, pretend_router
from appliance.sandbox.routeros.versions import Name as VersionName
from tests.contract.clients import connect


@pytest.fixture
def version() -> VersionName:
    return "7.21"


@pytest.fixture
def router_options(version: VersionName) -> RouterOptions:
    return RouterOptions(api_port=0, web_port=0, version=version)


@pytest.fixture
async def router(router_options: RouterOptions) -> AsyncIterator[PretendRouter]:
    async with pretend_router(router_options) as running:
        yield running


@pytest.fixture
def signs_in() -> str:
    return "admin"


@pytest.fixture
async def api(router: PretendRouter, signs_in: str) -> AsyncIterator[AsyncApi]:
    connected = await connect(router, signs_in)
    yield connected
    with suppress(OSError, LibRouterosError):  # the test may have cut it
        await connected.close()
