"""Believable news made from a seed: stories of one to eight articles, in their own words."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

TOWNS = (
    "Tollmere", "Harnow", "Lindholm", "Osk", "Sorne", "Kestrel Point", "Ardwick Bay", "Velden",
    "Marrow Hill", "Castrey", "Junne", "Port Elwin", "Saltby", "Great Orme", "Dunmarch", "Fennick",
)  # fmt: skip
PEOPLE = (
    "Ida Vass", "Tomas Relling", "Amara Okafor", "Jun Hayashi", "Petra Lindqvist", "Sol Marchetti",
    "Noor Rahman", "Evan Brodie", "Lucia Ferro", "Kwame Mensah", "Greta Holm", "Pavel Orlik",
)  # fmt: skip
# What happened; then how one article after another tells it.
PLOTS = (
    ("{town} council votes {n} to {m} to close the swimming baths",
     "Campaigners led by {who} carry towels to {town} town hall over the baths",
     "A buyer steps forward for the swimming baths of {town}"),
    ("Fire destroys a furniture warehouse on the edge of {town}",
     "Crews damp down in {town} after {n} hours; {who} praised for raising the alarm",
     "Wiring blamed for the warehouse fire in {town}"),
    ("{who} wins the {town} half marathon in a record time",
     "Runners of {n} countries crossed the finish in {town} as {who} broke the record"),
    ("Nurses in {town} strike over night shifts",
     "{who}, for the nurses of {town}, turns down a {n} per cent offer",
     "Hospital in {town} postpones {n} operations", "Nurses in {town} return to the wards"),
    ("River floods {n} streets in {town}", "Families return to {town} as the water falls",
     "Who pays for the flood wall of {town}? asks {who}"),
    ("Film festival of {town} opens with a debut by {who}",
     "Jury in {town} gives its prize to {who} after {n} days of screenings"),
    ("Bank robbers flee {town} on bicycles", "Police in {town} find {n} bicycles in a canal",
     "{who} charged with the robbery in {town}"),
    ("Botanists count {n} orchids near {town}", "{who} calls the orchids of {town} a small wonder"),
    ("Ferry aground off {town} with {n} passengers aboard", "Tugs free the ferry at {town}",
     "Captain {who} questioned about the ferry off {town}"),
    ("Chip maker will build a plant in {town} with {n} hundred jobs",
     "{who} welcomes the plant, farmers near {town} do not"),
    ("Measles cases in {town} rise to {n}", "Schools in {town} ask for vaccination cards",
     "Doctor {who} expects the measles of {town} to pass by spring"),
    ("Orchestra of {town} names {who} its conductor",
     "{who} opens the season in {town} with Mahler"),
)  # fmt: skip
MORE = (
    "The mayor's office would not say more before {day}.",
    "Residents had waited since {day} for an answer.",
    "Traffic was diverted for {n} hours.",
    "A spokeswoman put the cost at {m} million.",
    "It is the second such case in the region within {n} months.",
    "{who} told reporters that nobody had seen it coming.",
    "Neighbouring communities offered help at once.",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
START = datetime(2024, 3, 1, 6, tzinfo=UTC)


def write(path: Path, count: int, seed: int) -> list[str]:
    """`count` articles as JSON lines, in the order of their publication; their refs."""
    rows = make(count, seed)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return [row["id"] for row in rows]


def make(
    count: int, seed: int, sentences: int = 3, *, towns: Sequence[str] = TOWNS
) -> list[dict[str, str]]:
    """The same as rows of an archive. Texts are the headline and so many sentences more."""
    chance = random.Random(seed)
    made: list[tuple[datetime, str, str]] = []
    while len(made) < count:
        town, who = chance.choice(towns), chance.choice(PEOPLE)
        n, m = chance.randrange(11, 60), chance.randrange(3, 11)
        broke = START + timedelta(minutes=chance.randrange(20 * 24 * 60))
        plot = chance.choice(PLOTS)
        for _ in range(chance.randrange(1, 9)):
            words = {"town": town, "who": who, "n": n, "m": m, "day": chance.choice(DAYS)}
            step = chance.randrange(len(plot))
            title = plot[step].format(**words)
            rest = [line.format(**words) for line in chance.sample(MORE, sentences)]
            later = timedelta(hours=step * 20, minutes=chance.randrange(600))
            made.append((broke + later, title, " ".join([f"{title}.", *rest])))
    rows = []
    for number, (at, title, text) in enumerate(sorted(made[:count])):
        ref = f"k{number:04}"
        url = f"https://{chance.choice(('courier', 'gazette', 'wire'))}.example/{ref}"
        row = {"id": ref, "url": url, "title": title, "text": text}
        rows.append({**row, "published": at.isoformat()})
    return rows
