"""How articles and stories are written down, each by itself, so that each can be read by itself."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from msgspec import Raw, Struct
from msgspec.msgpack import Decoder, Encoder

from processors.cluster.asleep import Asleep
from processors.cluster.piece import Piece, Vector, as_float32
from processors.cluster.story import Story


class Seen(Struct, array_like=True):
    """What is remembered of an id after its content was forgotten."""

    revisions: list[str]
    story: str
    at: float  # the clock when it was last met


class KeptStory(Struct, array_like=True):
    """A story without what it shares: members that are known are ids; the sum of the vectors of a
    story of one article is that of the article."""

    story: Story
    newest: list[str | Piece]


def keep(story: Story, known: Asleep[Piece]) -> KeptStory:
    newest: list[str | Piece] = [
        one.id if known.holds(one.id, one) else one for one in story.newest
    ]
    total = story.total
    if len(newest) == 1 and np.array_equal(total, _alone(story.newest[0])):
        total = np.zeros(0, dtype=np.float32)
    return KeptStory(msgspec.structs.replace(story, newest=[], total=total), newest)


def read_story(raw: Raw, known: Asleep[Piece]) -> Story:
    kept: KeptStory = _kept(raw)
    story = kept.story
    story.newest = [known[one] if isinstance(one, str) else one for one in kept.newest]
    if not len(story.total):
        story.total = _alone(story.newest[0])
    return story


def _alone(piece: Piece) -> Vector:
    """The sum of the vectors of a story that holds just this; adding makes -0 to 0."""
    return as_float32(piece.vector) + np.float32(0)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return [list(value.shape), value.dtype.str, value.tobytes()]
    # msgspec hands on what is raised here as it is.
    raise TypeError(
        f"A snapshot holds what msgspec encodes and arrays, not a {type(value).__name__}."
    )


def _array(kind: type, value: Any) -> object:
    shape, numbers, data = value
    if numbers not in ("|i1", "<i2", "<i4", "<u4", "<f4"):
        raise ValueError(f"no array of {numbers!r} is written")
    return np.frombuffer(data, dtype=numbers).reshape(shape)  # not to be written to


encode = Encoder(enc_hook=_plain).encode


def decoder(kind: Any) -> Any:
    """Of that type, arrays included."""
    return Decoder(kind, dec_hook=_array).decode


read_piece, read_seen = decoder(Piece), decoder(Seen)
_kept, _ids = decoder(KeptStory), decoder(list[str])


def read_inside(raw: Raw) -> dict[str, None]:
    """Ids in their order."""
    return dict.fromkeys(_ids(raw))
