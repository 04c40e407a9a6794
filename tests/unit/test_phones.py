import hashlib

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


HASH = hashlib.sha256(b"254712345678").hexdigest()
LOCAL_HASH = hashlib.sha256(b"0712345678").hexdigest()


WHOLE = ("254712345678", "+254712345678", "0712345678", "712345678")
MASKED = ("2547 ***** 678", "0712***678", "7*****78")


@pytest.mark.parametrize("payer", [*WHOLE, *MASKED, HASH, HASH.upper(), LOCAL_HASH])
def test_a_payer_is_known_in_every_form(payer: str) -> None:
    assert phones.readable(payer)
    assert phones.fits("254712345678", payer)
    assert not phones.fits("254113345999", payer)


@pytest.mark.parametrize("payer", ["", "N/A", "722", "2547*****", "1" * 64 + "x"])
def test_what_cannot_be_compared_is_not_readable_and_fits_nobody(payer: str) -> None:
    assert not phones.readable(payer)
    assert not phones.fits("254712345678", payer)
