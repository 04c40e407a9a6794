"""What messages say fits one SMS, whatever an operator called things."""

from datetime import UTC, datetime, timedelta
from string import Formatter

import pytest

from appliance.sms.gsm7 import plain, segments, septets
from appliance.sms.wording import CATALOGUES, LANGUAGES

VALUES: dict[str, object] = {
    "brand": "Mwangaza Wi-Fi",
    "box": "kibera-east-2",
    "code": "WWWW9WWWW9",
    "plan": "Family week",
    "length": timedelta(days=6, hours=23),
    "left": timedelta(minutes=10),
    "price": 1250,
    "since": datetime(2026, 11, 23, 6, 5, tzinfo=UTC),
    "count": 99,
}
KEYS = sorted(key for key in CATALOGUES._sentences["en"] if not key.startswith("unit."))


def said(language: str, key: str, **more: object) -> str:
    return CATALOGUES.text(language, key, **(VALUES | more))


def blanks(language: str, key: str) -> set[str]:
    parts = Formatter().parse(CATALOGUES._sentences[language][key])
    return {name for _, name, _, _ in parts if name is not None}


def test_every_language_says_the_same_things_about_the_same() -> None:
    for language in LANGUAGES:
        assert CATALOGUES._sentences[language].keys() == CATALOGUES._sentences["en"].keys()
        for key in CATALOGUES._sentences["en"]:
            assert blanks(language, key) == blanks("en", key), key


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", KEYS)
def test_every_message_is_one_sms_of_plain_characters(language: str, key: str) -> None:
    text = said(language, key)
    assert segments(text) == 1
    assert septets(text) is not None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_long_plan_gives_way_and_the_code_stays(language: str) -> None:
    text = said(language, "receipt", plan="All you can stream " * 5, brand="B" * 40)
    assert segments(text) == 1
    assert "WWWW9WWWW9" in text
    assert "1250" in text


def test_marks_are_lost_before_half_a_message_is() -> None:
    text = said("en", "receipt", brand="Café “Ōku” 🚀", plan="Wiki — nzima…")
    assert text.startswith('Café "Oku" : your code')
    assert "Wiki - nzima..." in text
    assert segments(text) == 1
    assert plain("½ \N{NO-BREAK SPACE}€") == "12  €"


def test_times_are_said_as_people_say_them() -> None:
    assert "6 days 23 hours" in said("en", "receipt")
    assert "siku 6 saa 23" in said("sw", "receipt")
    assert "1 hour 30 minutes" in said("en", "reminder", left=timedelta(minutes=90))
    assert "1 minute" in said("en", "reminder", left=timedelta(seconds=4))
    assert "since 09:05" in said("en", "alert.router_away")
    assert said("fr", "reminder") == said("en", "reminder")


@pytest.mark.parametrize(
    ("text", "count"),
    [("a" * 160, 1), ("a" * 161, 2), ("€" * 81, 2), ("ж" * 70, 1), ("ж" * 71, 2), ("🚀" * 36, 2)],
)
def test_a_text_is_charged_as_the_network_counts(text: str, count: int) -> None:
    assert segments(text) == count
