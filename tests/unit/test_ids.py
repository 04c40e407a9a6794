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
