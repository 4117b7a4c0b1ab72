"""Whatever the texts are: a screen fits, no option is lost, and pages can be turned forth and back."""

from __future__ import annotations

from datetime import UTC

from hypothesis import example, given
from hypothesis import strategies as st

from smpp.text import encode_gsm, encode_ucs2, septets
from ussd_engine.language.menu import Keys
from ussd_engine.language.pages import Limits, cut, fits, measure, option_page, page_starts, text_page, ways
from ussd_engine.language.wording import fill, parse_template

LETTERS = "abc XYZ 019 éÅ€[]{} абв ҚӘҒ\n-"
WORDS = st.text(LETTERS, min_size=1, max_size=30).map(str.strip).filter(bool)
TEXTS = st.text(LETTERS, max_size=600).map(str.strip)
LIMITS = st.sampled_from([Limits(), Limits(160, 70), Limits(182, 63)])
WAYS = st.builds(ways, st.sampled_from(["kk", "ky", "ru", "en"]), st.just(Keys()), st.booleans(), st.booleans())


@given(st.lists(WORDS, min_size=1, max_size=40), WORDS.map(lambda word: word[:5].strip() or "x"), WAYS, LIMITS)
def test_pages_of_options_fit_and_hold_every_option_whole(
    lines: list[str], title: str, keys: object, limits: Limits
) -> None:
    shown = tuple(f"{number} {line}" for number, line in enumerate(lines, 1))

    def page(first: int) -> object:
        return option_page(title, shown, first, "", keys, limits)

    starts = page_starts(page)
    assert starts == sorted(set(starts))
    for first, following in zip(starts, [*starts[1:], len(shown)], strict=True):
        text = page(first).text
        assert fits(text, limits)
        for line in shown[first:following]:
            assert line in text


@given(WORDS, st.lists(WORDS, min_size=1, max_size=12), WORDS, WAYS, LIMITS)
def test_a_reason_above_never_makes_a_page_too_long(
    reason: str, lines: list[str], title: str, keys: object, limits: Limits
) -> None:
    shown = tuple(f"{number} {line}" for number, line in enumerate(lines, 1))
    page = option_page(title, shown, 0, reason, keys, limits)
    assert fits(page.text, limits)
    assert page.text.startswith(reason)
    assert page.next_first is None or page.next_first > 0


@given(TEXTS, WAYS, LIMITS)
def test_a_long_text_is_read_whole_over_its_pages(text: str, keys: object, limits: Limits) -> None:
    def page(first: int) -> object:
        return text_page(text, (), first, "", keys, limits)

    starts = page_starts(page)
    read = ""
    for first, following in zip(starts, [*starts[1:], len(text)], strict=True):
        assert fits(page(first).text, limits)
        assert text[first:following].strip() in page(first).text
        read += text[first:following]
    assert read == text


@given(TEXTS, st.lists(WORDS, max_size=12), WAYS, LIMITS)
def test_a_text_with_options_shows_all_of_both_and_comes_to_an_end(
    text: str, lines: list[str], keys: object, limits: Limits
) -> None:
    shown = tuple(f"{number} {line}" for number, line in enumerate(lines, 1))

    def page(first: int) -> object:
        return text_page(text, shown, first, "", keys, limits)

    pages = [page(first).text for first in page_starts(page)]
    assert all(fits(each, limits) for each in pages)
    assert all(any(line in each for each in pages) for line in shown)


@given(TEXTS, LIMITS)
def test_what_is_cut_fits_and_begins_as_the_text_does(text: str, limits: Limits) -> None:
    short = cut(text, limits)
    assert fits(short, limits)
    assert short == text or text.startswith(short.removesuffix(".."))


@given(TEXTS)
@example("^{}[]~|€\\")
def test_the_measure_is_the_octets_on_the_air(text: str) -> None:
    count, unit = measure(text)
    octets = encode_gsm(text) if septets(text) is not None else encode_ucs2(text)
    assert len(octets) == (count if unit == "septets" else 2 * count)


@given(TEXTS)
def test_a_text_without_placeholders_is_shown_as_it_is(text: str) -> None:
    if "${" not in text:
        assert fill(parse_template(text), lambda _path: None, "ru", UTC) == text
