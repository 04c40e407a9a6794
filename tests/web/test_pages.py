"""The portal's pages and sentences, as text."""

import re
import tomllib
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest
from jinja2 import TemplateNotFound, TemplateSyntaxError, UndefinedError

from appliance.domain.errors import (
    ApplianceError,
    Conflict,
    DeviceAbsent,
    Duplicate,
    GatewayRefused,
    GatewayUnavailable,
    Invalid,
    Locked,
    OutcomeUnknown,
    RouterRefused,
    RouterUnreachable,
    SalesClosed,
    StoreUnavailable,
    Unreadable,
)
from appliance.flows.evolve import Missing
from appliance.web import errors
from appliance.web.pages import Look, Pages
from tests.web.page_samples import CODE, LOOK, NONCE, PLANS, SAMPLES, home, links, plan, rendered

HEAVIEST = 14_000
HOSTILE = """"'><script>alert(1)</script>{{ 7 * 7 }}{amount}"""
REASONS = {
    "insufficient_balance", "amount_limits", "daily_limit", "merchant_full", "same_amount_wait",
    "mpesa_busy", "prompt_open", "expired", "prompt_failed", "cancelled", "no_answer", "wrong_pin",
    "pin_locked", "not_mpesa_number", "merchant_config", "not_completed", "wrong_amount",
    "person_looks", "refunded", "revoked",
    "gateway_unreachable", "checking", "check_phone", "paid_connecting", "paid_router_away",
    "paid_device_absent", "paid_kept", "paid_next", "used_up", "online",
}  # fmt: skip

every_sample = pytest.mark.parametrize("sample", SAMPLES)
every_language = pytest.mark.parametrize("lang", Pages.languages)


class Tags(HTMLParser):
    """Collects the tags of a page; what a browser would fetch by itself is `fetched`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.seen if tag in names]

    @property
    def fetched(self) -> list[str]:
        links = [attributes.get("href") or "" for attributes in self.named("link")]
        return links + [
            attributes["src"] or "" for _, attributes in self.seen if "src" in attributes
        ]


ERRORS = [
    Invalid("code_elsewhere"),
    Locked(90),
    SalesClosed("x"),
    Duplicate("payments", "x"),
    Conflict("x"),
    StoreUnavailable("x"),
    Unreadable("x"),
    Missing("x"),
    GatewayRefused("x"),
    GatewayUnavailable("x"),
    OutcomeUnknown("x"),
    RouterUnreachable("x"),
    RouterRefused("x"),
    DeviceAbsent("x"),
]


@pytest.fixture(scope="module")
def pages() -> Pages:
    return Pages(LOOK)


@every_sample
@every_language
def test_a_page_fits_the_first_flight_of_packets(pages: Pages, sample: str, lang: str) -> None:
    assert len(rendered(pages, sample, lang).encode()) <= HEAVIEST


@every_sample
@every_language
def test_a_page_fetches_nothing(pages: Pages, sample: str, lang: str) -> None:
    html = rendered(pages, sample, lang)
    assert Tags(html).fetched == ["data:,"]
    assert not re.search(r"url\(|@import|localStorage|sessionStorage|cookie|_blank", html)


@every_sample
@every_language
def test_a_page_keeps_the_content_policy(pages: Pages, sample: str, lang: str) -> None:
    tags = Tags(rendered(pages, sample, lang))
    assert all(tag["nonce"] == NONCE for tag in tags.named("style", "script"))
    names = {name for _, attributes in tags.seen for name in attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}


@every_sample
@every_language
def test_a_page_speaks_one_language_and_offers_the_other(
    pages: Pages, sample: str, lang: str
) -> None:
    tags = Tags(rendered(pages, sample, lang))
    assert tags.named("html") == [{"lang": lang}]
    offered = [tag["href"] for tag in tags.named("a") if "hreflang" in tag]
    assert offered == [url for other, url in links(sample).items() if other != lang]


@every_sample
def test_every_box_to_type_in_has_a_label_and_its_error(pages: Pages, sample: str) -> None:
    tags = Tags(rendered(pages, sample, "en"))
    ids = [attributes["id"] for _, attributes in tags.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {tag["for"] for tag in tags.named("label")}
    typed = [tag for tag in tags.named("input") if tag.get("type") != "hidden"]
    assert {tag["id"] for tag in typed} == labelled
    described = " ".join(tag.get("aria-describedby") or "" for _, tag in tags.seen)
    assert set(described.split()) <= set(ids)
    anchors = [tag["href"] or "" for tag in tags.named("a")]
    assert {anchor[1:] for anchor in anchors if anchor.startswith("#")} <= set(ids)


@every_sample
@every_language
def test_hostile_words_stay_words(sample: str, lang: str) -> None:
    pages = Pages(Look(brand=HOSTILE, support_phone=HOSTILE))
    words = dict.fromkeys(("message", "code", "receipt", "plan_name", "phone_masked"), HOSTILE)
    words |= dict.fromkeys(("notice", "heading", "continue_url", "status_url"), HOSTILE)
    form = dict.fromkeys(("plan", "phone", "code", "receipt"), HOSTILE)
    carry = {"mac": HOSTILE, "dst": HOSTILE}
    html = rendered(pages, sample, lang, carry=carry, form=form, **words)
    assert "<script>" not in html
    assert "\"'" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}{amount}" in html
    scripts = len(Tags(rendered(pages, sample, lang)).named("script"))
    assert len(Tags(html).named("script")) == scripts


def test_the_form_comes_back_as_it_was_typed(pages: Pages) -> None:
    tags = Tags(rendered(pages, "home-bad_phone", "sw"))
    chosen = [tag["value"] for tag in tags.named("input") if "checked" in tag]
    phone = next(tag for tag in tags.named("input") if tag.get("id") == "phone")
    assert chosen == ["day"]
    assert phone["value"] == "0712"
    assert phone["aria-invalid"] == "true"
    assert phone["aria-describedby"] == "phone-hint phone-error"
    assert (phone["autocomplete"], phone["inputmode"]) == ("tel", "tel")


def test_every_form_carries_what_the_router_handed_over(pages: Pages) -> None:
    tags = Tags(rendered(pages, "home-ready", "en"))
    forms = tags.named("form")
    assert [form["action"] for form in forms] == ["/redeem", "/purchase", "/redeem"]
    assert all(form["method"] == "post" for form in forms)
    assert len([tag for tag in tags.named("input") if tag.get("name") == "mac"]) == len(forms)


def test_nothing_can_be_bought_while_sales_are_closed(pages: Pages) -> None:
    html = rendered(pages, "home-closed", "en")
    assert "/purchase" not in html
    assert PLANS[1]["name"] in html
    assert "/redeem" in html


def test_many_plans_still_fit(pages: Pages) -> None:
    plans = [plan(f"plan-{n}", f"Plan number {n}", 10 * n, 3_600 * n) for n in range(1, 13)]
    html = rendered(pages, "home-plans", "sw", **home(plans=plans))
    assert len(html.encode()) <= HEAVIEST


@pytest.mark.parametrize("sample", ["wait-pending", "wait-unknown", "wait-paid", "failed-locked"])
def test_without_javascript_the_page_looks_again_by_itself(pages: Pages, sample: str) -> None:
    head = rendered(pages, sample, "en").partition("<body>")[0]
    assert '<noscript><meta http-equiv="refresh" content="' in head


@pytest.mark.parametrize("sample", ["wait-pending", "wait-late", "wait-locked", "wait-disputed"])
def test_an_undecided_payment_offers_no_second_one(pages: Pages, sample: str) -> None:
    html = rendered(pages, sample, "en")
    assert "Try again" not in html.replace("try again in", "")
    assert "/purchase" not in html


def test_a_locked_page_offers_no_second_payment_even_with_a_link_to_it(pages: Pages) -> None:
    assert "/?buy=1" not in rendered(pages, "wait-locked", "en", again_url="/?buy=1")


def test_a_voucher_code_copies_as_one_word(pages: Pages) -> None:
    html = rendered(pages, "done-online", "en")
    code = html.partition('<div class="voucher">')[2].partition("</div>")[0]
    assert CODE in re.sub(r"<[^>]+>", "", code)


def test_a_receipt_is_shown_promised_or_left_out(pages: Pages) -> None:
    assert "QKH94M1Z11" in rendered(pages, "done-online", "en")
    assert "On its way by SMS" in rendered(pages, "done-paid", "en")
    assert "M-Pesa receipt" not in rendered(pages, "done-voucher", "en")


def test_only_a_web_page_is_linked_to_go_on_with(pages: Pages) -> None:
    assert 'href="http://example.com/"' in rendered(pages, "done-online", "en")
    assert "alert" not in rendered(pages, "done-online", "en", continue_url="javascript:alert(1)")


def test_the_pin_is_never_asked_for(pages: Pages) -> None:
    for lang in pages.languages:
        assert pages.text(lang, "home.pin_safe") in rendered(pages, "home-plans", lang)


def test_both_catalogues_say_the_same_things() -> None:
    english, swahili = catalogue("en"), catalogue("sw")
    assert english.keys() == swahili.keys()
    for key, sentence in english.items():
        assert blanks(sentence) == blanks(swahili[key]), key


@every_language
def test_every_reason_has_a_sentence(pages: Pages, lang: str) -> None:
    for reason in REASONS:
        assert pages.text(lang, f"reason.{reason}", code=CODE)
    assert {key for key in catalogue(lang) if key.startswith("reason.")} == {
        f"reason.{reason}" for reason in REASONS
    }


def test_every_sentence_in_the_catalogue_is_used() -> None:
    templates = [
        found.read_text("utf-8")
        for found in files("portal_templates").iterdir()
        if found.name.endswith(".html")
    ]
    used = " ".join(templates)
    by_state = ("wait.", "failed.", "language.", "unit.", "plan.", "reason.", "problem.", "router.")
    plain = [key for key in catalogue("en") if not key.startswith(by_state)]
    unused = [key for key in plain if f'"{key}"' not in used]
    assert unused == ["price", "ticket.how_to", "message.heading"]


def test_an_unknown_sentence_raises_at_once(pages: Pages) -> None:
    with pytest.raises(KeyError):
        pages.text("en", "reason.no_such_reason")


def test_a_sentence_with_an_unfilled_blank_raises_at_once(pages: Pages) -> None:
    with pytest.raises(KeyError):
        pages.text("en", "reason.paid_kept")


def test_a_page_with_a_name_missing_raises_at_once(pages: Pages) -> None:
    with pytest.raises(UndefinedError):
        pages.render("message.html", "en", nonce=NONCE, self_links={}, heading="", home_url="/")


def test_an_unknown_page_raises(pages: Pages) -> None:
    with pytest.raises(TemplateNotFound):
        pages.render("../pyproject.toml", "en", nonce="")


@pytest.mark.parametrize(
    ("seconds", "english", "swahili"),
    [
        (0, "0 seconds", "sekunde 0"),
        (-5, "0 seconds", "sekunde 0"),
        (1, "1 second", "sekunde 1"),
        (59, "59 seconds", "sekunde 59"),
        (119, "1 minute", "dakika 1"),
        (1_800, "30 minutes", "dakika 30"),
        (3_600, "1 hour", "saa 1"),
        (3_659, "1 hour", "saa 1"),
        (8_040, "2 h 14 min", "saa 2 dakika 14"),
        (86_400, "1 day", "siku 1"),
        (86_460, "1 day", "siku 1"),
        (97_200, "1 day 3 h", "siku 1 saa 3"),
        (2_592_000, "30 days", "siku 30"),
    ],
)
def test_a_length_of_time_is_said_as_people_say_it(
    pages: Pages, seconds: int, english: str, swahili: str
) -> None:
    assert pages.duration("en", seconds) == english
    assert pages.duration("sw", seconds) == swahili


@pytest.mark.parametrize(
    ("byte_count", "said"),
    [
        (500 << 20, "500 MB"),
        (500_000_000, "500 MB"),
        (2 << 30, "2 GB"),
        (2_000_000_000, "2 GB"),
        (1_500_000_000, "1.5 GB"),
        (300_000, "0.3 MB"),
    ],
)
def test_data_is_said_in_round_numbers(pages: Pages, byte_count: int, said: str) -> None:
    assert [pages.data(lang, byte_count) for lang in pages.languages] == [said, said]


@pytest.mark.parametrize(
    ("rate_limit", "said"),
    [
        ("2M/5M", "5 Mbps"),
        ("5M", "5 Mbps"),
        ("512k/768k", "768 kbps"),
        ("2M/2500000 4M/8M 1M/2M 8/8", "2.5 Mbps"),
        ("0/0", ""),
        ("as it comes", ""),
        (None, ""),
    ],
)
def test_the_speed_is_the_download(pages: Pages, rate_limit: str | None, said: str) -> None:
    shown = plan("one", "1 hour", 10, 3_600, rate_limit=rate_limit)
    assert pages.facts("en", shown).replace("\N{NO-BREAK SPACE}", " ") == said


def test_a_plan_says_what_it_gives(pages: Pages) -> None:
    family = plan("f", "Family", 99, 86_400, data_limit_bytes=2 << 30, devices=3)
    facts = pages.facts("sw", family).replace("\N{NO-BREAK SPACE}", " ")
    assert facts == "siku 1 · 2 GB · 5 Mbps · vifaa 3"


def test_an_operators_template_and_sentence_replace_ours(tmp_path: Path) -> None:
    (tmp_path / "message.html").write_text(
        '{% extends "shipped/message.html" %}{% block lead %}<p>{{ t("motto") }}</p>{% endblock %}'
    )
    (tmp_path / "en.toml").write_text(
        'motto = "<b>Njeri</b>"\n[home]\ntitle = "Karibu"\n[reason]\npaid_kept = "Yours: {code}"\n'
    )
    pages = Pages(LOOK, overlay=tmp_path)
    assert "<p>&lt;b&gt;Njeri&lt;/b&gt;</p>" in rendered(pages, "message-unknown", "en")
    assert "<h1>Karibu</h1>" in rendered(pages, "home-plans", "en")
    assert pages.text("en", "reason.paid_kept", code=CODE) == f"Yours: {CODE}"
    assert pages.text("en", "home.pay") == "Pay with M-Pesa"
    assert "<h1>Chagua kifurushi</h1>" in rendered(pages, "home-plans", "sw")


@pytest.mark.parametrize(
    "catalogue",
    ['[home]\ntitle = "Hi {nobody}"', '[home]\ntitle = "Hi {"', "[home]\ntitle = 3", "title"],
)
def test_a_broken_catalogue_of_an_operator_refuses_to_start(tmp_path: Path, catalogue: str) -> None:
    (tmp_path / "sw.toml").write_text(catalogue)
    with pytest.raises(ValueError, match=r"sw\.toml"):
        Pages(LOOK, overlay=tmp_path)


def test_a_broken_template_of_an_operator_refuses_to_start(tmp_path: Path) -> None:
    (tmp_path / "home.html").write_text("{% if %}")
    with pytest.raises(TemplateSyntaxError):
        Pages(LOOK, overlay=tmp_path)


def test_rendering_reads_no_file(tmp_path: Path) -> None:
    (tmp_path / "message.html").write_text('{% extends "shipped/message.html" %}')
    pages = Pages(LOOK, overlay=tmp_path)
    (tmp_path / "message.html").unlink()
    assert "<h1>" in rendered(pages, "message-unknown", "en")


def test_an_operator_without_a_support_phone_shows_none() -> None:
    pages = Pages(Look(brand="Plain"))
    assert "tel:" not in rendered(pages, "home-plans", "en")


def catalogue(lang: str) -> dict[str, str]:
    """Return every sentence by `table.key`, read apart from the code under test."""
    tree = tomllib.loads(files("portal_templates").joinpath(f"{lang}.toml").read_text("utf-8"))
    found: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, str):
            found[key] = value
        else:
            found |= {f"{key}.{name}": sentence for name, sentence in value.items()}
    return found


def blanks(sentence: str) -> set[str | None]:
    """Return the names to be filled in."""
    return {name for _, name, _, _ in Formatter().parse(sentence)} - {None}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_has_its_sentence(pages: Pages, error: ApplianceError) -> None:
    for lang in pages.languages:
        assert errors.sentence(pages, lang, error)
