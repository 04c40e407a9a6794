"""What the stories of a voucher's life stand on."""

from collections.abc import AsyncIterator

import pytest

from tests.box import Box
from tests.box import box as opened_box


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    async with opened_box() as made:
        yield made
