"""Why an article is in its story and not in the next best one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from processors.cluster.decision import Decision
from processors.cluster.piece import Piece
from processors.cluster.signals import NAMES
from processors.cluster.story import Story
from stream.records import Considered

Row = NDArray[np.float64]

# Signals that a person would call by one name.
KINDS = (
    dict.fromkeys(
        ("centre", "nearest", "average", "apart", "ahead", "nearest_ahead", "share"), "meaning"
    )
    | dict.fromkeys(
        ("terms", "terms_nearest", "core_kept", "rare_shared", "terms_ahead", "sum_ahead",
         "terms_share"),
        "words",
    )
    | dict.fromkeys(("title_known", "title_nearest", "title_ahead"), "headline")
    | dict.fromkeys(("both", "mixed_share"), "meaning and words together")
    | dict.fromkeys(("names_shared", "names_differ"), "names")
    | dict.fromkeys(("numbers_shared", "numbers_differ"), "numbers")
    | dict.fromkeys(("size", "foreign", "mixed"), "size, language and form")
    | {"scattered": "how many here stand alone", "varied": "large stories on many subjects"}
)  # fmt: skip
_TOLD = tuple(dict.fromkeys(KINDS[name] for name in NAMES))
_BY_KIND = np.array([[float(KINDS[name] == kind) for kind in _TOLD] for name in NAMES])
# The story, and the next best one.
KEPT = 2
# Less changes nothing that anybody would see.
SMALL = 0.05


def considered(
    piece: Piece,
    ranked: Sequence[tuple[float, Story]],
    rows: Mapping[str, Row],
    decision: Decision,
) -> list[Considered]:
    """The best candidates with what spoke for and against them; `rows` are signals by story."""
    found = []
    for score, story in ranked[:KEPT]:
        bias, weights = decision.weights(piece, story)
        parts = np.around((weights * rows[story.id]) @ _BY_KIND, 2).tolist()
        told = zip(_TOLD, parts, strict=True)
        rounded = {kind: part for kind, part in told if abs(part) >= SMALL}
        found.append(Considered(story=story.id, score=score, base=round(bias, 2), parts=rounded))
    return found


def lines(
    story: str,
    copy_of: str | None,
    tried: Sequence[Considered],
    labels: Mapping[str, str],
    now: str | None = None,
) -> list[str]:
    """For people. `story` is where it was placed, `now` where it is, `tried` what was stored with
    the placement, `labels` by story."""
    if now not in (None, story):
        first = f"“{labels.get(story) or story}”"
        return [
            f"it was placed in {first} at first",
            *_placed(story, copy_of, tried, labels),
            "later its members, compared two by two, showed that the stories had to be divided or"
            " joined: it came here",
        ]
    return _placed(story, copy_of, tried, labels)


def _placed(
    story: str, copy_of: str | None, tried: Sequence[Considered], labels: Mapping[str, str]
) -> list[str]:

    def name(one: Considered) -> str:
        return f"“{labels.get(one.story) or one.story}”"

    if not tried:
        return ["it opened its story: no open story came into question"]
    own = next((one for one in tried if one.story == story), None)
    other = next((one for one in tried if one is not own), None)
    if copy_of is not None:
        return ["it repeats the text of an article that is there"]
    if own is None:
        best = tried[0]
        if best.score > 0:
            return [f"it was nearest to {name(best)}; the stories were mended with it"]
        return [
            f"it opened its story: the nearest, {name(best)}, scored {_signed(best.score)}, and "
            f"joining takes more than 0 ({_made_of(best)})"
        ]
    found = [
        f"it belongs there: it scored {_signed(own.score)}, and joining takes more than 0 "
        f"({_made_of(own)})"
    ]
    if other is None:
        return [*found, "no other open story came into question"]
    kinds = dict.fromkeys([*own.parts, *other.parts])
    lead = {k: own.parts.get(k, 0.0) - other.parts.get(k, 0.0) for k in kinds}
    return [
        *found,
        f"next best: {name(other)} with {_signed(other.score)}; "
        f"what sets them apart: {_told(lead)}",
    ]


def _made_of(one: Considered) -> str:
    return f"it starts from {_signed(one.base)}: {_told(one.parts)}"


def _signed(number: float) -> str:
    return f"{number:+.1f}".replace("-", "−")


def _told(parts: Mapping[str, float]) -> str:
    ranked = sorted(parts.items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    return ", ".join(f"{kind} {_signed(part)}" for kind, part in ranked[:3] if abs(part) >= SMALL)
