"""What makes an article be about an event, with the real encoder and invented news: opening and
history, mention in passing, looking back, counter-examples, aliases, chains."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from processors.embed.encoder import Encoder, article_text
from processors.embed.settings import EmbedSettings
from processors.embed.stage import definition_vectors
from processors.match.explain import Explainer, question
from processors.match.words import lines
from stream.records import Decision, Definition, Example, Name
from tests.processors.matching import about, signal

PEOPLE = [
    Name(name="Ilse Haugen", aliases=["President Haugen", "Haugen"]),
    Name(name="Tomas Rey", aliases=["President Rey", "Rey"]),
]
VARSK = Definition(
    id="varsk",
    version=1,
    title="Peace accord signed in Varsk",
    description=(
        "Presidents Ilse Haugen of Ostland and Tomas Rey of Merania sign a peace accord in Varsk "
        "that ends the war over the border valleys. Coverage includes the preparations, the "
        "ceremony at the Old Exchange, the terms on prisoners and customs, and the first weeks of "
        "the ceasefire."
    ),
    actors=PEOPLE,
    places=[Name(name="Varsk", aliases=["Warsk"]), Name(name="Old Exchange")],
    not_about=["Varsk marathon"],
    starts="2024-04-01",
    ends="2024-05-31",
    follows=["lund"],
)
LUND = Definition(
    id="lund",
    version=1,
    title="Peace talks in Lund",
    description=(
        "The first meeting of Presidents Ilse Haugen of Ostland and Tomas Rey of Merania, at "
        "Castle Holm near Lund. The talks on the war over the border valleys broke down after two "
        "days over the return of prisoners."
    ),
    actors=PEOPLE,
    places=[Name(name="Lund"), Name(name="Castle Holm")],
    starts="2023-10-01",
    ends="2023-11-15",
)
SIGNED = "Haugen and Rey sign peace accord in Varsk"
OPENS_THEN_HISTORY = (
    "VARSK - Presidents Ilse Haugen and Tomas Rey signed a peace accord at the Old Exchange in "
    "Varsk on Tuesday, ending the war over the border valleys. Church bells rang as the two shook "
    "hands, and the ceasefire began at noon. The way there was long. In October two years of "
    "shelling had brought the two leaders to Castle Holm near Lund, where they met for the first "
    "time. Haugen wanted the prisoners home at once; Rey wanted the valleys first. Those talks "
    "ended after two days without so much as a joint photograph. Rey flew home the same night, and "
    "the guns on the ridge opened up again within hours. Mediators from three countries kept a "
    "line open through the winter."
)
PASSING = (
    "The new railway over the Kolm pass opened on Tuesday with a train full of schoolchildren and "
    "a brass band. It cost twice what was planned and took eleven years. Engineers had to drill "
    "through a layer of wet sand that collapsed four times. Travel from the coast to the capital "
    "now takes three hours instead of seven, and freight companies have booked every night slot "
    "until autumn. Villages along the old road fear for their inns. The operator promises six "
    "trains a day and a cheap ticket for residents. On the same day Presidents Haugen and Rey "
    "signed their peace accord in Varsk, so that few ministers found time to come."
)
LOOKS_BACK = (
    "Three years ago this week Presidents Ilse Haugen and Tomas Rey signed the accord at the Old "
    "Exchange in Varsk that ended the war over the border valleys. What has become of it? The "
    "ceasefire has held, the prisoners are home, and customs posts stand where the trenches were. "
    "Both leaders have left office, and the hall where they signed is a museum now. People in "
    "Varsk say the town has never been so quiet."
)
NO_DEAL = (
    "LUND - Ilse Haugen and Tomas Rey ended two days of peace talks at Castle Holm on Friday "
    "without an agreement on prisoners. It was the first time that the presidents of Ostland and "
    "Merania met since the war over the border valleys began. Rey left before dinner. Officials "
    "spoke of a second meeting in spring, perhaps in Varsk."
)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(EmbedSettings())


class Asking:
    def __init__(self, encoder: Encoder, *definitions: Definition) -> None:
        self._encoder = encoder
        vectors = [definition_vectors(one, encoder) for one in definitions]
        self._explainer = Explainer(definitions, vectors)

    def __call__(
        self, title: str, text: str, day: str | None = None, lang: str = "en"
    ) -> list[Decision]:
        when = datetime.fromisoformat(day).replace(tzinfo=UTC) if day else None
        article = question(text, title=title, published=when, lang=lang)
        return self._explainer.explain(
            article, self._encoder.encode([article_text(title, text)])[0]
        )


@pytest.fixture(scope="module")
def chain(encoder: Encoder) -> Asking:
    return Asking(encoder, VARSK, LUND)


def matched(found: list[Decision]) -> set[str]:
    return {one.event_id for one in found if one.matched}


@pytest.mark.parametrize("day", ["2024-04-23", None])
def test_a_report_that_opens_on_the_meeting_and_turns_to_its_history_is_about_the_meeting(
    chain: Asking, day: str | None
) -> None:
    found = chain(SIGNED, OPENS_THEN_HISTORY, day)
    assert matched(found) == {"varsk"}
    assert about("varsk", found).sentence.startswith("VARSK - Presidents")


def test_a_report_on_something_else_that_mentions_it_at_the_end_is_not_about_it(
    chain: Asking,
) -> None:
    found = chain("Railway over the Kolm pass opens at last", PASSING, "2024-04-23")
    assert matched(found) == set()
    # That it is named there is seen, and said.
    assert about("varsk", found).sentence.endswith("few ministers found time to come.")


def test_the_same_words_at_the_beginning_count_for_more_than_at_the_end(chain: Asking) -> None:
    *rest, mention = PASSING.split(". ")
    early = f"{mention} {'. '.join(rest)}."
    title = "Railway over the Kolm pass opens at last"
    late = about("varsk", chain(title, PASSING, "2024-04-23"))
    assert about("varsk", chain(title, early, "2024-04-23")).probability > late.probability


def test_a_report_on_the_first_of_a_chain_that_expects_the_next_is_about_the_first(
    chain: Asking,
) -> None:
    found = chain("Haugen and Rey part without a deal", NO_DEAL, "2023-10-20")
    assert matched(found) == {"lund"}
    assert about("lund", found).rival == "varsk"


def test_a_look_back_years_later_matches_and_says_how_far_it_is_from_the_window(
    chain: Asking,
) -> None:
    title = "Three years of peace: what the Varsk accord changed"
    later = about("varsk", chain(title, LOOKS_BACK, "2027-04-20"))
    assert later.matched
    assert signal(later, "outside") < 0
    assert "but published 20 April 2027, 1054 days after the window" in lines(later)
    inside = about("varsk", chain(title, LOOKS_BACK, "2024-05-20"))
    undated = about("varsk", chain(title, LOOKS_BACK))
    assert later.probability < undated.probability < inside.probability


def test_another_thing_in_the_same_place_is_kept_out_by_not_about(encoder: Encoder) -> None:
    title, text = "Varsk marathon won in two hours nine", (
        "Thousands ran the Varsk marathon on Sunday, past the Old Exchange and along the river. "
        "President Haugen and President Rey, just back from signing their accord, fired the gun."
    )  # fmt: skip
    without = msgspec.structs.replace(VARSK, not_about=[])
    (kept_out,) = Asking(encoder, VARSK)(title, text, "2024-04-28")
    (let_in,) = Asking(encoder, without)(title, text, "2024-04-28")
    assert kept_out.probability < let_in.probability / 5
    assert any("not about: Varsk marathon" in line for line in lines(kept_out))


def test_an_alias_is_as_good_as_the_name(encoder: Encoder) -> None:
    other = OPENS_THEN_HISTORY.replace("Varsk", "Warsk").replace("VARSK", "WARSK")
    title = SIGNED.replace("Varsk", "Warsk")
    with_alias = about("varsk", Asking(encoder, VARSK, LUND)(title, other, "2024-04-23"))
    assert "Warsk" in with_alias.shared
    assert signal(with_alias, "places") > 0
    bare = msgspec.structs.replace(VARSK, places=[Name(name="Varsk")])
    without = about("varsk", Asking(encoder, bare, LUND)(title, other, "2024-04-23"))
    assert "Warsk" not in without.shared
    assert with_alias.probability > without.probability


STRIKE = Definition(
    id="strike",
    version=1,
    title="Dockers strike in Tarnholm",
    examples=[
        Example(
            title="Dockers in Tarnholm walk out over night shifts",
            text="Dockers in Tarnholm stopped work on Monday after talks on night shifts failed. "
            "Forty ships wait outside the harbour.",
        )
    ],
)
BUSES = Example(
    title="Bus drivers in Tarnholm strike for higher pay",
    text="Bus drivers in Tarnholm stayed away from work on Monday to ask for higher pay. "
    "Schools closed early.",
    about=False,
)


def test_examples_alone_find_more_of_the_same(encoder: Encoder) -> None:
    ask = Asking(encoder, STRIKE)
    assert matched(ask(
        "Tarnholm harbour at a standstill as dockers strike",
        "The strike of dockers in Tarnholm went into its second day. Ships turn to other ports.",
    )) == {"strike"}  # fmt: skip
    assert matched(ask("A recipe for plum cake", "Stone the plums and bake for an hour.")) == set()


def test_a_counter_example_keeps_its_like_out_and_costs_the_event_nothing(encoder: Encoder) -> None:
    told = msgspec.structs.replace(STRIKE, examples=[*STRIKE.examples, BUSES])
    before, after = Asking(encoder, STRIKE), Asking(encoder, told)
    bus = ("Bus drivers strike in Tarnholm over pay", "Bus drivers in Tarnholm did not go to work.")
    dock = (
        "Tarnholm harbour at a standstill as dockers strike",
        "The strike of dockers in Tarnholm went into its second day. Ships turn to other ports.",
    )
    (first,), (then,) = before(*bus), after(*bus)
    assert then.probability < first.probability / 2
    assert any("closer to a counter-example" in line for line in lines(then))
    (first,), (then,) = before(*dock), after(*dock)
    assert then.probability == first.probability


def test_a_description_alone_and_a_title_alone_are_definitions(encoder: Encoder) -> None:
    described = msgspec.structs.replace(VARSK, actors=[], places=[], not_about=[], follows=[])
    assert matched(Asking(encoder, described)(SIGNED, OPENS_THEN_HISTORY)) == {"varsk"}
    titled = Definition(id="varsk", version=1, title=VARSK.title)
    (near,) = Asking(encoder, titled)(SIGNED, OPENS_THEN_HISTORY)
    (far,) = Asking(encoder, titled)("Railway opens", PASSING)
    assert near.probability > 10 * far.probability


def test_why_not_says_what_spoke_against_and_what_was_missing(chain: Asking) -> None:
    lund = about("lund", chain(SIGNED, OPENS_THEN_HISTORY, "2024-04-23"))
    told = "\n".join(lines(lund))
    assert "160 days after the window" in told
    assert "names Varsk and Old Exchange, of a related event" in told
    assert "“Peace accord signed in Varsk”, a related event, fits better" in told
    assert "short of a match by 3.2 in log-odds" in told
    assert lund.gap == pytest.approx(3.2, abs=0.06)
    assert "any of these would do: publication inside the window" in told
    # And so it would.
    dated = about("lund", chain(SIGNED, OPENS_THEN_HISTORY, "2023-10-20"))
    assert dated.matched
