"""What leaves the process as a log line, and that the tests would notice a secret in one."""

import logging
from pathlib import Path

import pytest

from appliance import settings
from appliance.log import HIDDEN, Discreet
from tests.leaks import leaks

SECRETS = {
    "phone": "254712345678",
    "plus": "+254112345678",
    "local": "0712345678",
    "token": "0123456789abcdef0123456789abcdef",
    "path": "https://pay.example/hooks/" + "a1b2c3d4" * 5 + "/c2b/confirmation",
    "checkout": "ws_CO_17112022155730304796440427",
    "bearer": "Authorization: Bearer c9SQxWWhmdVRlyh0zh8gZDTkubVF",
}
SHOWN_TO_NOBODY = {"code": "ACDEFGHJK3", "word": "ACDEFGHJKM", "receipt": "QKH94M1Z11"}
HARMLESS = [
    "prompted payment=66f0a1b2c3d4e5f607182934 plan=hour",
    "token kept paybill=174379",
    "a call was turned away why=wrong_secret address=196.201.212.69",
    "router alarm: 1795000000 bytes left of 2147483648",
]


def line(message: str, *, error: bool = False) -> str:
    info = (ValueError, ValueError(message), None) if error else None
    text = "it went wrong" if error else message
    record = logging.LogRecord("appliance", logging.ERROR, __file__, 1, text, None, info)
    return Discreet("%(levelname)s %(message)s", ["a password", "short"]).format(record)


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("error", [False, True])
def test_a_secret_of_known_shape_leaves_in_no_line(kind: str, *, error: bool) -> None:
    secret = SECRETS[kind]
    written = line(f"odd answer, {secret} said so", error=error)
    assert HIDDEN in written
    assert secret not in written
    assert "said so" in written


@pytest.mark.parametrize("text", HARMLESS)
def test_a_line_of_ours_leaves_as_it_is(text: str) -> None:
    assert line(text) == f"ERROR {text}"
    assert leaks([text]) == []


def test_the_words_of_the_settings_leave_in_no_line() -> None:
    assert line("login with a password failed, short") == f"ERROR login with {HIDDEN} failed, short"


@pytest.mark.parametrize("secret", [*SECRETS.values(), *SHOWN_TO_NOBODY.values(), f"x {HIDDEN}"])
def test_a_test_whose_log_holds_a_secret_fails(secret: str) -> None:
    said = f"odd answer: {secret}"
    assert leaks([said]) == [said]


def test_every_secret_setting_is_a_word_that_is_hidden(tmp_path: Path) -> None:
    file = tmp_path / "appliance.toml"
    file.write_text(
        f"""
        [appliance]
        encryption_keys = "{"A" * 43}=, {"B" * 43}="
        [mongodb]
        uri = "mongodb://box:of-the-database@db.example/"
        [webhooks]
        public_url = "https://pay.example"
        path_secret = "{"1" * 32}"
        previous_path_secrets = "{"2" * 32},{"3" * 32}"
        [admin]
        cron_secret = "of-the-cron-16-or-more"
        [router]
        host = "r"
        password = "of-the-router"
        """,
        encoding="utf-8",
    )
    known = settings.load(file, {}).secrets()
    assert {"of-the-database", "of-the-router", "of-the-cron-16-or-more"} <= set(known)
    assert {f"{digit * 32}" for digit in "123"} <= set(known)
    assert {f"{letter * 43}=" for letter in "AB"} <= set(known)
    shown = repr(settings.load(file, {}))
    assert not [word for word in known if word and word in shown]
