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


# Few, so that much of the news is about the events.
_TOWNS = ("Tollmere", "Velden", "Osk", "Harnow")
# Long enough not to be taken for headlines: only stories of full texts are split and merged.
_SENTENCES = 3
# Of the articles this part is edited, each into another's wording: some change their story, and
# some their event, and alerts have to follow.
_EDITED = 0.08


def portions(articles: int, seed: int, portions: int) -> list[Portion]:
    """`articles` in so many files, live ones and archives in turn; refs are unique in all, but
    that an article may come once more, edited, in the file that it came in."""
    rows = make(articles, seed, _SENTENCES, towns=_TOWNS)
    chance = random.Random(seed)
    chance.shuffle(rows)
    size = -(-len(rows) // portions)
    return [
        (
            f"{'live' if number % 2 == 0 else 'back'}-{number:04}",
            _edited(rows[at : at + size], chance),
        )
        for number, at in enumerate(range(0, len(rows), size))
    ]


def _edited(rows: list[dict[str, str]], chance: random.Random) -> list[dict[str, str]]:
    edits = []
    for row in chance.sample(rows, int(len(rows) * _EDITED)):
        other = chance.choice(rows)
        edits.append({**row, "title": other["title"], "text": other["text"]})
    return rows + edits


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
