"""The news of a torture run, and the events that some of it is about."""

from __future__ import annotations

import random
from pathlib import Path

from tests.torture.headlines import make

Portion = tuple[str, list[dict[str, str]]]

_EVENTS = {
    "floods-tollmere": (
        "Floods in Tollmere",
        "A river floods streets in Tollmere; families leave and return, and there is an argument"
        " about who pays for a flood wall.",
        "Tollmere",
        "River floods 23 streets in Tollmere",
    ),
    "nurses-velden": (
        "Nurses strike in Velden",
        "Nurses in Velden strike over night shifts; the hospital postpones operations.",
        "Velden",
        "Nurses in Velden strike over night shifts",
    ),
    "measles-osk": (
        "Measles in Osk",
        "An outbreak of measles in Osk: cases rise, schools ask for vaccination cards.",
        "Osk",
        "Measles cases in Osk rise to 40",
    ),
}


def portions(articles: int, seed: int, portions: int) -> list[Portion]:
    """`articles` in so many files, live ones and archives in turn; refs are unique in all."""
    rows = make(articles, seed, sentences=1)
    chance = random.Random(seed)
    chance.shuffle(rows)
    size = -(-len(rows) // portions)
    return [
        (f"{'live' if number % 2 == 0 else 'back'}-{number:04}", rows[at : at + size])
        for number, at in enumerate(range(0, len(rows), size))
    ]


def definitions(folder: Path, version: int) -> Path:
    """Definition files; each version is worded differently."""
    folder.mkdir(exist_ok=True)
    for id_, (title, about, place, example) in _EVENTS.items():
        more = "" if version == 1 else f" This is edition {version} of the definition."
        (folder / f"{id_}.toml").write_text(
            f'id = "{id_}"\ntitle = "{title}"\ndescription = "{about}{more}"\n'
            f'places = ["{place}"]\n\n[[examples]]\ntitle = "{example}"\ntext = "{example}."\n',
            encoding="utf-8",
        )
    return folder
