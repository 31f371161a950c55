"""A story: articles about one happening, with what is needed to judge the next one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from processors.cluster import bag
from processors.cluster.piece import Piece, Vector, as_float32

Matrix = NDArray[np.float32]

# The newest members stand for what the story is about now. Twelve gave the same B³ on four
# development streams, six .005 less on og2021; each costs a comparison with every candidate.
NEWEST = 8
# The heaviest terms of a member, under which the story is found again; a long story is well
# findable under the first MAX_FOUND_BY, and its index entries stay bounded.
INDEXED_TERMS, MAX_FOUND_BY = 12, 240
# A label that changes on the second article says nothing yet.
LABEL_FROM = 3


def new_id(lane: int, article: str, revision: str) -> str:
    """The id of the story that this article opens: the same in every run."""
    return (
        "s" + hashlib.blake2b(f"{lane}\0{article}\0{revision}".encode(), digest_size=10).hexdigest()
    )


class Story(Struct, gc=False, array_like=True):
    """Sums run over the members that are no copies; `first`, `last`, `seen` are seconds.

    Most stories stay at one article, and are many: such a one has no sums of its own.
    """

    id: str
    row: int  # in the matrix of centres
    first: float
    last: float
    seen: float  # the lane's clock when it last grew: closing counts from here
    total: Vector  # sum of the member vectors
    length: float = 0.0  # of `total`
    newest: list[Piece] = []
    size: int = 0  # members, copies included
    originals: int = 0
    headlines: int = 0  # originals that are headlines only
    dated: bool = False  # any member says when it happened
    # What the originals say together (see `bag`); empty while it is what the one article says.
    terms: bytes = b""
    names: bytes = b""
    numbers: bytes = b""
    found_by: list[int] = []  # keys of terms; under the first `indexed` the shelf finds it
    indexed: int = 0
    langs: dict[str, int] = {}
    label: str = ""
    label_article: str = ""
    label_vector: bytes = b""

    @property
    def centre(self) -> Vector:
        return self.total / np.float32(self.length) if self.length > 1e-6 else self.total

    @property
    def vectors(self) -> Matrix:
        """Of the newest members, oldest first. Made anew each time: that takes 3 µs, while keeping
        them would double the memory of a story."""
        packed = b"".join([piece.vector for piece in self.newest])
        halves = np.frombuffer(packed, dtype="<f2")
        return halves.astype(np.float32).reshape(len(self.newest), len(self.total))

    def cosine(self, vector: Vector) -> float:
        """To the centre."""
        near = float(self.total @ vector)
        return near / self.length if self.length > 1e-6 else near

    def add(self, piece: Piece) -> bool:
        """Take the piece in; returns whether the label changed. A copy counts as a member and
        moves the times, but adds nothing to what the story is about."""
        self.size += 1
        self.langs[piece.lang] = self.langs.get(piece.lang, 0) + 1
        self.seen = max(self.seen, piece.seen)
        if piece.dated:
            known = self.dated
            self.first = min(self.first, piece.time) if known else piece.time
            self.last = max(self.last, piece.time) if known else piece.time
            self.dated = True
        if piece.copy_of is not None and self.originals:
            return False
        self._count(piece, 1)
        self._find_by(bag.first_terms(piece.said, INDEXED_TERMS))
        self._sum(self.total + as_float32(piece.vector))
        self.newest = [*self.newest, piece][-NEWEST:]
        return self._relabel()

    def remove(self, piece: Piece) -> None:
        """Take out a member whose text was replaced or moved (times stay as they were)."""
        self.size -= 1
        left = self.langs.get(piece.lang, 0) - 1
        if left > 0:
            self.langs[piece.lang] = left
        else:
            self.langs.pop(piece.lang, None)
        if piece.copy_of is not None:
            return
        self._count(piece, -1)
        self._sum(self.total - as_float32(piece.vector))
        self.newest = [one for one in self.newest if one.id != piece.id]

    def absorb(self, other: Story) -> bool:
        """Take in all of another story; returns whether the label changed."""
        self.size += other.size
        for lang, count in other.langs.items():
            self.langs[lang] = self.langs.get(lang, 0) + count
        self.seen = max(self.seen, other.seen)
        if other.dated:
            self.first = min(self.first, other.first) if self.dated else other.first
            self.last = max(self.last, other.last) if self.dated else other.last
            self.dated = True
        mine, theirs = self._sums(), other._sums()
        self.terms, self.names, self.numbers = map(bag.joined, mine, theirs)
        self.originals += other.originals
        self.headlines += other.headlines
        self._find_by(other.found_by)
        self._sum(self.total + other.total)
        both = sorted([*self.newest, *other.newest], key=lambda piece: (piece.seen, piece.id))
        self.newest = both[-NEWEST:]
        return self._relabel()

    def label_again(self) -> bool:
        """Choose another label when its article left; returns whether the label changed."""
        if any(one.id == self.label_article for one in self.newest):
            return False
        before, self.label_article = self.label, ""
        self.label = ""
        self._relabel()
        self.label = self.label or before
        return self.label != before

    def _sum(self, total: Vector) -> None:
        self.total, self.length = total, float(np.sqrt(np.dot(total, total)))

    def _find_by(self, terms: Sequence[int]) -> None:
        new = [term for term in terms if term not in self.found_by]
        if new:
            self.found_by = [*self.found_by, *new][:MAX_FOUND_BY]

    def _count(self, piece: Piece, sign: int) -> None:
        if self.originals == (0 if sign > 0 else 1):
            self.terms = self.names = self.numbers = b""
        else:
            held, said = self._sums(), _said(piece)
            self.terms, self.names, self.numbers = (
                bag.grown(sums, keys, weights, sign)
                for sums, (keys, weights) in zip(held, said, strict=True)
            )
        self.originals += sign
        self.headlines += sign * piece.headline_only

    def _sums(self) -> Sequence[bytes]:
        """Terms, names and numbers, of a story of one article as well."""
        if self.terms or not self.newest:
            return self.terms, self.names, self.numbers
        return [bag.grown(b"", keys, weights, 1) for keys, weights in _said(self.newest[-1])]

    def _relabel(self) -> bool:
        """Choose the headline nearest the centre, among the newest and the one that holds."""
        titled = [(i, one) for i, one in enumerate(self.newest) if one.label]
        if not titled:
            return False
        if len(self.newest) == 1 and not self.label_article:
            best = self.newest[0]
            self.label, self.label_article, self.label_vector = best.label, best.id, best.vector
            return False
        centre = self.centre
        scores = self.vectors @ centre
        at, best = max(titled, key=lambda pair: round(float(scores[pair[0]]), 5))
        if self.label and self.label_article != best.id:
            holds = float(as_float32(self.label_vector) @ centre)
            if round(holds, 5) >= round(float(scores[at]), 5):
                return False
        changed = bool(self.label) and self.label != best.label
        if changed and self.originals < LABEL_FROM:
            return False
        self.label, self.label_article, self.label_vector = best.label, best.id, best.vector
        return changed


def _said(piece: Piece) -> list[tuple[bag.Keys, bag.Weights]]:
    """Terms, names and numbers of an article with their weights."""
    others = bag.names_of(piece.said)
    return [bag.terms_of(piece.said), *((one, np.ones(len(one), np.float32)) for one in others)]


def open_story(name: str, piece: Piece, row: int) -> Story:
    """The story of that id, with the piece in it."""
    dims = len(piece.vector) // 2
    story = Story(
        id=name,
        row=row,
        first=piece.time,
        last=piece.time,
        seen=piece.seen,
        total=np.zeros(dims, dtype=np.float32),
    )
    story.add(piece)
    return story
