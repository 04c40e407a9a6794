"""What is fuzzed takes what it is first given; `make fuzz` goes on from there."""

import pytest

from tests.fuzz.seeds import dictionary, seeds
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_target_is_first_given_is_read_or_refused(name: str) -> None:
    given = [*seeds(name), *dictionary(name), b""]
    assert len(given) > 5
    for data in given:
        TARGETS[name](data)
