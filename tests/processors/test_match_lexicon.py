"""What one pass over the characters finds is what reading word by word finds."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as some

from processors.match.lexicon import ENOUGH_WORDS, Lexicon
from processors.match.naming import Gazetteer, folded_words
from processors.match.reading import BEGINNING
from processors.text.numbers import MONTHS
from processors.text.words import MAX_TERM, terms
from stream.records import Name

# Some of these are words of events, some of names, some of both, some fill every text.
WORDS = ["dam", "Oslo", "the", "treaty", "Berg", "Anna", "Ha", "Noi", "rivers", "May", "of", "u2"]
EVENTS = [["oslo", "dam", "river"], [], ["treaty", "berg", "u2", "été"]]
NAMES = [Name(name="Anna Berg", aliases=["Berg"]), Name(name="Hanoi"), Name(name="Noi of Oslo")]
MARKS = some.sampled_from([" ", ", ", "-", "\n", " 3 ", " 3. 5. ", " 2024-5-1 ", "x" * MAX_TERM])
SENTENCE = some.lists(some.tuples(some.sampled_from(WORDS), MARKS), min_size=1, max_size=9).map(
    lambda pairs: "".join(word + mark for word, mark in pairs).strip()
)
TEXT = some.lists(SENTENCE, min_size=1, max_size=9)


def gazetteer() -> Gazetteer:
    made = Gazetteer()
    for one in NAMES:
        made.add(one, person=one.name == "Anna Berg")
    return made


KNOWN = gazetteer()
LEXICON = Lexicon(EVENTS, KNOWN.begins, MONTHS)


@given(TEXT, some.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_tokens_are_the_words_of_the_headline_and_the_first_sentences(
    texts: list[str], reach: int
) -> None:
    headline, *sentences = texts
    reach = min(reach, len(sentences))
    found = LEXICON.scan(headline, sentences, reach)
    assert found is not None
    tokens, _ = found
    words = [frozenset(terms(one)) for one in [headline, *sentences[:reach]]]
    same = LEXICON.tokens(words)
    for place, own in enumerate(words):
        assert len(set(tokens.words[tokens.places == place])) == len(own)
    assert len(tokens.numbers) == len(same.numbers) == len(frozenset().union(*words))
    for beginning in range(reach + 1):
        said, different = LEXICON.said(tokens, beginning)
        first = frozenset().union(*words[: beginning + 1])
        assert different == len(first)
        again, count = LEXICON.said(same, beginning)
        assert (sorted(again), count) == (sorted(said), different)
        for event, own_words in enumerate(EVENTS):
            expected = different * min(len(own_words), ENOUGH_WORDS)
            shared = len(first & set(own_words))
            share = shared / math.sqrt(expected) if expected else 0.0
            assert LEXICON.share(event, said, different) == share


@given(TEXT)
@settings(max_examples=200, deadline=None)
def test_no_sentence_that_names_something_or_a_day_is_passed_over(texts: list[str]) -> None:
    headline, *sentences = texts
    found = LEXICON.scan(headline, sentences, 0)
    assert found is not None
    for number, sentence in enumerate(sentences):
        names = KNOWN.find(sentence)
        days = "2024-5-1" in sentence or "3. 5." in sentence
        month = not MONTHS.keys().isdisjoint(folded_words(sentence))
        assert number in found[1] or not (names or days or month)


def test_most_sentences_are_passed_over() -> None:
    sentences = ["The dam is old.", "It cost 3.", "Noi is a name, Oslo is not in it", "On 3 May."]
    found = LEXICON.scan("Berg", sentences, 4)
    assert found is not None
    # A name that needs a second word is looked for where the first stands, when both do anywhere.
    assert found[1] == [3]
    found = LEXICON.scan("Berg", [*sentences, "Speaking of Oslo"], 4)
    assert found is not None
    assert found[1] == [2, 3]


@given(some.lists(SENTENCE, min_size=1, max_size=9), some.data())
@settings(max_examples=200, deadline=None)
def test_what_a_sentence_takes_away_is_what_is_missing_without_it(
    sentences: list[str], data: some.DataObject
) -> None:
    steps = data.draw(some.lists(some.booleans(), min_size=len(sentences), max_size=len(sentences)))
    ranks = [sum(steps[:n]) for n in range(len(sentences))]
    found = LEXICON.scan("Dam", sentences, len(sentences))
    assert found is not None
    tokens, _ = found
    for event, own in enumerate(EVENTS):
        lacking = LEXICON.lacking(event, tokens, ranks, BEGINNING)
        for out, sentence in enumerate(sentences):
            assert lacking.within[out] == len(set(own) & set(terms(sentence)))
            moved_up = out + 1 < len(ranks) and ranks[out + 1] != ranks[out]
            left = ranks[:out] + [rank - moved_up for rank in ranks[out + 1 :]]
            beginning = sum(rank < BEGINNING for rank in left)
            said, different = LEXICON.said(tokens.without(out), beginning)
            assert lacking.words[out] == LEXICON.share(event, said, different)


def test_other_scripts_are_not_scanned() -> None:
    assert LEXICON.scan("Dam", ["Un été à Oslo"], 1) is None
    assert LEXICON.scan("Dam", ["“Oslo” – it’s there"], 1) is not None
