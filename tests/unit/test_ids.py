import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain import ids


def test_a_voucher_code_has_ten_clear_characters_and_a_letter() -> None:
    codes = {ids.new_voucher_code() for _ in range(2000)}
    assert len(codes) == 2000
    for code in codes:
        assert len(code) == 10
        assert any(letter.isalpha() for letter in code)
        assert not set(code) & set("0O1IL2Z5S8B")


def test_how_a_code_is_typed_does_not_matter() -> None:
    assert ids.typed_voucher_code(" abc3-def4 gh ") == "ABC3DEF4GH"


def test_a_token_is_128_bits_of_hex() -> None:
    token = ids.new_token()
    assert len(bytes.fromhex(token)) == 16
    assert ids.fingerprint(token) != token


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=64))
def test_a_signed_text_comes_back_only_with_its_secret(text: str) -> None:
    token = ids.signed("feedface", text)
    assert re.fullmatch("[0-9a-f]+", token)
    assert ids.unsigned("feedface", token) == text
    assert ids.unsigned("feedfacf", token) is None
    assert ids.unsigned("feedface", token[2:]) is None
    assert ids.unsigned("feedface", "30" + token) is None


@pytest.mark.parametrize("token", ["", "00", "0" * 32, "f" * 34, "é" * 34, "0" * 5000, "F0" * 40])
def test_what_was_never_signed_says_nothing(token: str) -> None:
    assert ids.unsigned("feedface", token) is None
