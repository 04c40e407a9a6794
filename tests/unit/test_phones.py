import pytest

from appliance.domain import phones
from appliance.domain.errors import Invalid


@pytest.mark.parametrize(
    "typed",
    [
        "0712345678",
        "712345678",
        "254712345678",
        "+254712345678",
        " 0712 345 678 ",
        "0712-345-678",
        "+254 (712) 345.678",
    ],
)
def test_every_way_to_write_a_number_means_the_same(typed: str) -> None:
    assert phones.normalise(typed) == "254712345678"


@pytest.mark.parametrize("typed", ["0110345678", "110345678", "+254 110 345 678"])
def test_the_new_01_numbers_are_numbers(typed: str) -> None:
    assert phones.normalise(typed) == "254110345678"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "0202345678",
        "071234567",
        "07123456789",
        "0712345678x",
        "255712345678",
        "٠٧١٢٣٤٥٦٧٨",
        "0712345678\x00",
        "7" * 5000,
        "'; drop",
    ],
)
def test_anything_else_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refusal:
        phones.normalise(typed)
    assert refusal.value.field == "phone"


def test_a_masked_number_is_known_to_its_owner_only() -> None:
    assert phones.masked("254712345678") == "0712 ••• 678"
