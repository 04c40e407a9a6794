from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from appliance.domain import colours, logos
from appliance.domain.colours import READABLE, contrast
from appliance.settings.sections import Portal
from appliance.web.pages import CARD, PAGE, Look, Pages
from tests.web.page_samples import PIXEL, rendered

HEX = st.integers(0, 0xFFFFFF).map("#{:06x}".format)
INKS = {"light": ("#10211a", "#46574e"), "dark": ("#eff5f1", "#b3c3ba")}


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21), ("#ffffff", "#ffffff", 1), ("#777777", "#ffffff", 4.48)],
)
def test_contrast_is_as_wcag_counts_it(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01)
    assert contrast(one, other) == contrast(other, one)


@given(HEX)
def test_whatever_the_colour_everything_on_it_can_be_read(brand: str) -> None:
    for scheme, inks in INKS.items():
        page, card = PAGE[scheme], CARD[scheme]
        theme = colours.theme(brand, page=page, card=card, dark=scheme == "dark")
        pairs = [("title", "band"), ("lead", "band"), ("on", "act"), ("act", "tint")]
        assert min(contrast(theme[a], theme[b]) for a, b in pairs) >= READABLE
        assert min(contrast(theme["act"], under) for under in (page, card)) >= READABLE
        assert min(contrast(ink, theme["tint"]) for ink in inks) >= READABLE


def test_a_colour_that_reads_well_is_used_as_it_is() -> None:
    theme = colours.theme("#0a5f3a", page=PAGE["light"], card=CARD["light"], dark=False)
    assert (theme["band"], theme["act"], theme["on"]) == ("#0a5f3a", "#0a5f3a", "#ffffff")
    yellow = colours.theme("#ffd400", page=PAGE["light"], card=CARD["light"], dark=False)
    assert (yellow["band"], yellow["title"]) == ("#ffd400", "#000000")


@pytest.mark.parametrize(
    "text", ["green", "#12", "#12345g", "#fff;}*{color:red", "#\uff11\uff11\uff11", ""]
)
def test_what_is_no_colour_refuses_to_start(text: str) -> None:
    with pytest.raises(ValidationError, match="must be a colour in hex"):
        Portal(colour=text)
    assert Portal(colour=" #FD0 ").colour == "#ffdd00"


def test_a_logo_is_a_small_picture_that_can_run_nothing(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PIXEL)
    assert Portal(logo=tmp_path / "logo.png").logo == tmp_path / "logo.png"
    heads = {b"\xff\xd8\xff\xe0": "jpeg", b"RIFF\0\0\0\0WEBPVP8 ": "webp", PIXEL: "png"}
    for head, kind in heads.items():
        assert logos.data_uri(head).startswith(f"data:image/{kind};base64,")
    for content in (
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a",
        b"",
        PIXEL + b"0" * logos.LARGEST,
    ):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(ValidationError, match=r"must be a PNG|may have 16 KB"):
            Portal(logo=tmp_path / "bad")
    with pytest.raises(ValidationError, match="cannot be read"):
        Portal(logo=tmp_path / "nothing")


def test_a_brand_is_on_every_page_and_fetches_nothing() -> None:
    look = Look(brand="Njeri", colour="#ffd400", logo=logos.data_uri(PIXEL))
    for sample in ("home-plans", "payer-asked", "away-home"):
        html = rendered(Pages(look), sample, "sw")
        assert '<img class="logo" src="data:image/png;base64,' in html
        assert html.count("--band:#ffd400;--title:#000000") == 1
        assert '<meta name="theme-color" content="#ffd400">' in html
        assert "&#" not in html.partition("</style>")[0].partition("<style")[2]
