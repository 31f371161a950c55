"""What clustering keeps of an article: its vector, weighted terms, names, numbers and sketch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from processors.cluster import bag, copies
from processors.cluster.bag import Keys
from processors.cluster.vocabulary import Vocabulary
from processors.text.names import names
from processors.text.numbers import numbers
from processors.text.words import terms
from stream.errors import BadRecord
from stream.records import Article, Embedded

Vector = NDArray[np.float32]

# News says what happened in its first paragraphs; reading further costs time and blurs terms.
LEAD_CHARS = 2000
MAX_LABEL = 200
# Fewer terms of text than this, and the article is judged as a headline.
HEADLINE_TERMS = 20
DAY = 86_400.0


class Piece(Struct, gc=False, array_like=True):
    """One revision of an article. `time` is its event time in seconds since 1970."""

    id: str
    revision: str
    time: float
    dated: bool  # whether `time` says anything about when it happened
    lang: str
    outlet: str
    label: str
    headline_only: bool
    vector: bytes  # little-endian float16, unit length
    said: bytes  # its terms, those of its headline, its names and numbers; see `bag.block`
    sketch: bytes  # see copies
    story: str = ""
    copy_of: str | None = None
    seen: float = 0.0  # the lane's clock when it was placed


class Reading(NamedTuple):
    """An article as it is read, whatever was read before: a piece that says nothing yet, the keys
    of its headline and of its lead in order and of its names, the model of its vector."""

    piece: Piece
    heading: Keys
    body: Keys
    names: Keys
    model: str
    dims: int

    def weigh(self, vocabulary: Vocabulary) -> Keys:
        """Say in the piece what counts by this vocabulary; returns the distinct keys."""
        self.piece.said, distinct = bag.block(self.heading, self.body, self.names, vocabulary)
        return distinct


def read(embedded: Embedded, article: Article) -> Reading:
    """Raises BadRecord when the vector is not what the record says it is."""
    if len(embedded.vector) != 2 * embedded.dims or embedded.dims == 0:
        raise BadRecord(
            f"the vector of {article.id} has {len(embedded.vector)} bytes, {embedded.dims} float16 "
            "numbers were announced; embed the article again"
        )
    if not np.isfinite(as_float32(embedded.vector).sum()):  # one number that is not is enough
        raise BadRecord(f"the vector of {article.id} holds numbers that are not finite")
    lead = article.text[:LEAD_CHARS]
    title = terms(article.title)
    keys = bag.hashed(title + terms(lead))
    heading, body = keys[: len(title)], keys[len(title) :]
    whole = f"{article.title}\n\n{lead}"
    piece = Piece(
        id=article.id,
        revision=article.revision,
        time=article.event_time.timestamp(),
        dated=article.published is not None,
        lang=language(article),
        outlet=article.outlet,
        label=(article.title or lead).strip()[:MAX_LABEL],
        headline_only=len(body) < HEADLINE_TERMS,
        vector=embedded.vector,
        said=b"",
        sketch=copies.sketch(heading, body),
    )
    named = bag.named(
        [span.text.casefold() for span in names(whole)], [span.text for span in numbers(whole)]
    )
    return Reading(piece, heading, body, named, embedded.model, embedded.dims)


def language(article: Article) -> str:
    """The bare language code, "" when it is not known."""
    return (article.lang or "").split("-")[0].lower()


def as_float32(vector: bytes) -> Vector:
    return np.frombuffer(vector, dtype="<f2").astype(np.float32)
