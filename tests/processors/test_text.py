from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.text import MAX_CHARS
from processors.text.names import names
from processors.text.numbers import day_distance, mentioned_dates, numbers
from processors.text.sentences import MAX_SENTENCE, headline, sentence_spans, sentences
from processors.text.words import terms


def test_abbreviations_and_initials_do_not_end_a_sentence() -> None:
    text = (
        "Mr. Brown met J. K. Olsen in the U.S. Senate. They spoke for 3.5 hours. Why? Nobody knows."
    )
    assert sentences(text) == [
        "Mr. Brown met J. K. Olsen in the U.S. Senate.",
        "They spoke for 3.5 hours.",
        "Why?",
        "Nobody knows.",
    ]


def test_a_closing_quote_belongs_to_its_sentence() -> None:
    assert sentences('He said: "We are done." Then he left.') == [
        'He said: "We are done."',
        "Then he left.",
    ]


def test_full_width_stops_end_sentences_without_a_space() -> None:
    assert sentences("他来了。「你好！」她说？好") == ["他来了。", "「你好！」", "她说？", "好"]


def test_wrapped_lines_stay_together_and_paragraphs_and_credits_do_not() -> None:
    text = "Photo: Agency\nThe harbour\nmaster resigned\n\nMore to follow"
    assert sentences(text) == ["Photo: Agency", "The harbour\nmaster resigned", "More to follow"]


def test_names_are_found_and_sentence_starts_are_doubtful() -> None:
    text = "Then Anna de Vries met Oslo's mayor. Rain fell. The Nobel Committee wrote."
    found = {span.text: span.sure for span in names(text)}
    assert found["Anna de Vries"]
    assert found["Oslo"]
    assert found["Nobel Committee"]
    assert not found["Rain"]
    assert "The" not in found


def test_a_headline_does_not_make_names_of_its_words() -> None:
    assert not any(span.sure for span in names("Harbour Master Resigns After Storm Damage"))


@pytest.mark.parametrize(
    ("title", "bare"),
    [
        ("Ferry runs aground off Maro | The Island Post", "Ferry runs aground off Maro"),
        ("Ferry runs aground off Maro - Reuters", "Ferry runs aground off Maro"),
        ("Ferry runs aground off Maro – 27 aboard are safe", "Ferry runs aground off Maro"),
        ("Ferry runs aground off Maro - nobody is hurt", None),
        ("Ferry-boat aground off Maro-Lin", None),
        ("Live | Ferry runs aground", None),
    ],
)
def test_a_headline_ends_before_the_name_of_the_outlet(title: str, bare: str | None) -> None:
    assert headline(title) == (bare or title)


def test_days_without_a_year_fall_nearest_to_the_anchor() -> None:
    anchor = date(2019, 2, 3)
    days = mentioned_dates("On December 28 and 12 January 2019, see 2018/5/27; 6月12日.", anchor)
    assert [day.day for day in days] == [
        date(2018, 12, 28),
        date(2019, 1, 12),
        date(2018, 5, 27),
        date(2019, 6, 12),
    ]


def test_days_without_a_year_are_unknown_without_an_anchor() -> None:
    assert mentioned_dates("On December 28", None) == []
    assert [d.day for d in mentioned_dates("On 28 December 2018", None)] == [date(2018, 12, 28)]


def test_impossible_days_are_ignored() -> None:
    assert mentioned_dates("2018-13-45, 31 June 2018, 30 February", date(2018, 1, 1)) == []


def test_day_distance_counts_days_outside_the_window() -> None:
    starts, ends = date(2018, 3, 8), date(2018, 7, 31)
    assert day_distance(date(2018, 3, 8), starts, ends) == 0
    assert day_distance(date(2018, 3, 1), starts, ends) == 7
    assert day_distance(date(2018, 8, 2), starts, ends) == 2
    assert day_distance(date(2030, 1, 1), starts, None) == 0


def test_terms_are_words_in_lower_case_and_pairs_of_cjk_characters() -> None:
    assert terms("The DMZ, and 金正恩 met") == ["dmz", "金正", "正恩", "met"]


def test_a_vowel_sign_does_not_cut_a_word() -> None:
    assert terms("प्रधानमंत्री ने ब्याज") == ["प्रधानमंत्री", "ने", "ब्याज"]
    assert terms("مُحَمَّد محمد محـمد") == ["محمد"] * 3
    assert terms("cafe\u0301 café") == ["café"] * 2
    assert terms("I ❤️ tea") == ["tea"]


def test_where_words_are_not_set_apart_terms_are_runs_of_characters() -> None:
    assert terms("ชายแดน") == ["ชายแ", "ายแด", "ยแดน"]
    assert terms("ពូ និង ABC") == ["ពូ", "និង", "abc"]
    assert terms("佐々木がＩＯＣ会長と") == ["佐々", "々木", "木が", "ioc", "会長", "長と"]
    assert terms("항만 시") == ["항만", "시"]


def test_the_same_word_is_the_same_term_in_any_case() -> None:
    assert len(set(terms("İstanbul ISTANBUL istanbul"))) == 1
    assert len(set(terms("МОСКВА Москва"))) == 1


def test_sentences_end_by_the_marks_of_other_scripts() -> None:
    assert sentences("هل وصل؟ نعم.") == ["هل وصل؟", "نعم."]
    assert sentences("वह आया। सब गए।") == ["वह आया।", "सब गए।"]


def test_numbers_keep_their_separators() -> None:
    assert [n.text for n in numbers("1,200 of 3.5 and 7.")] == ["1,200", "3.5", "7"]


@given(st.text(max_size=400))
def test_every_span_is_verbatim(text: str) -> None:
    spans = [*sentence_spans(text), *names(text), *numbers(text)]
    for start, piece in [(s.start, s.text) for s in spans] + [
        (d.start, d.text) for d in mentioned_dates(text, date(2020, 1, 1))
    ]:
        assert piece
        assert text[start : start + len(piece)] == piece
    # Nothing but space lies between sentences.
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "A",
        ".",
        '."',
        "\n",
        "A a ",
        "1,",
        "金",
        "ก",
        "أَ",
        "A-",
        "\0",
        "Jan ",
        " ",
        "2018-",
        "A.B. ",
    ],
)
def test_a_megabyte_of_anything_is_read_in_bounded_pieces(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    spans = sentence_spans(text)
    assert all(len(span.text) <= MAX_SENTENCE for span in spans)
    assert all(span.start < MAX_CHARS for span in [*spans, *names(text), *numbers(text)])
    assert all(len(term) <= 40 for term in terms(text))
    mentioned_dates(text, date(2020, 1, 1))
