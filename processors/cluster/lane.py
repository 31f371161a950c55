"""One lane of the stream: what was placed so far decides where the next article goes.

A lane is a pure function of the order of its records. It keeps no wall time, draws nothing at
random, and is written to and read from a snapshot without loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from processors.cluster import copies, mend, signals, why
from processors.cluster.bag import Keys
from processors.cluster.decision import Decision
from processors.cluster.piece import DAY, Piece, Reading, Vector, as_float32
from processors.cluster.settings import ClusterSettings
from processors.cluster.stock import Stock
from processors.cluster.story import Story, new_id
from processors.cluster.vocabulary import Vocabulary
from processors.cluster.why import Row
from stream.errors import BadRecord
from stream.records import Considered, StoryChange

# An edit is minor when the text is mostly the same, or means the same to the encoder: typing
# errors, an added paragraph, another headline over the same report.
MINOR_RESEMBLANCE, MINOR_COSINE = 0.5, 0.9
# A revised article leaves its story only when another one explains it e² times better, or when
# its own one is that clearly wrong: readers and alerts already point at the old place.
MOVE_MARGIN, EVICT_BELOW = 2.0, -3.0

# A new story is said to continue a closed one that explains its first article e times better than
# a new one would: with windows of three days so that sagas have rests, 6 of 7 such links on
# localnews-dev join what has one label (0: 11 of 12, but 39 links on og2021-dev, half of them
# between strangers, against 14).
CONTINUES_FROM = 1.0


class Placement(NamedTuple):
    story: str
    novelty: float
    copy_of: str | None
    changes: list[StoryChange]
    considered: list[Considered]


class Judged(NamedTuple):
    """The candidates of one article with their scores, best first, and the similarity to the
    nearest thing said before."""

    ranked: list[tuple[float, Story]]
    nearest: float
    background: float
    stream: tuple[float, float]  # how scattered and how varied it is
    rows: dict[str, Row]  # by story its signals

    def score(self, story: Story) -> float | None:
        return next((score for score, one in self.ranked if one is story), None)


class Lane(Stock):
    """State and rules of one lane. `decide` gives the decision file for a model; it is asked for
    only when something has to be decided."""

    def __init__(
        self, number: int, settings: ClusterSettings, decide: Callable[[str], Decision]
    ) -> None:
        super().__init__(number, settings.quiet_days * DAY, settings.seen_days * DAY)
        self.decide = decide
        self.next = 0  # offset in `embedded`
        self.model, self.dims = "", 0
        self.vocabularies: dict[str, Vocabulary] = {}

    # -- the two ways in -------------------------------------------------------------------------

    def place(self, reading: Reading) -> Placement | None:
        """Decide where the article goes; None when this revision was placed before.
        Raises BadRecord for a vector of another size, before anything changed."""
        piece = reading.piece
        if self._met_before(piece):
            return None
        terms = self._weigh(reading)
        decision = self.decide(reading.model)
        changes = self._advance(reading)
        placement = self._settle(piece, decision, changes)
        self._count(piece, terms)
        return placement

    def adopt(
        self,
        reading: Reading,
        story: str,
        copy_of: str | None,
        changes: Sequence[StoryChange],
    ) -> None:
        """Take over a placement that is on the log: it is a fact, whatever would be decided now."""
        piece = reading.piece
        if self._met_before(piece):
            return
        terms = self._weigh(reading)
        if reading.model != self.model:
            self._advance(reading)
        else:
            piece.seen = self.clock.advance(piece.time)
            self._forget()
        piece.copy_of = copy_of
        old = self.known.get(piece.id)
        for change in changes:
            if change.kind == "closed" and change.story in self.shelf.stories:
                self._close(self.shelf.stories[change.story])
        if old is not None and (home := self.shelf.stories.get(old.story)) is not None:
            self._take_out(home, old)
        for change in changes:
            self._follow(change, piece)
        self._put(piece, story)
        for change in changes:
            if change.kind == "relabelled" and change.story in self.shelf.stories:
                self.shelf.stories[change.story].label = change.label or ""
        self._count(piece, terms)

    # -- steps -----------------------------------------------------------------------------------

    def _met_before(self, piece: Piece) -> bool:
        seen = self.seen.get(piece.id)
        if seen is None or piece.revision not in seen.revisions:
            return False
        del self.seen[piece.id]
        self.seen[piece.id] = seen  # the last in the order of meeting
        if self.clock.now is not None:
            seen.at = self.clock.now
        return True

    def _weigh(self, reading: Reading) -> Keys:
        piece = reading.piece
        if reading.model == self.model and reading.dims != self.dims:
            raise BadRecord(
                f"the vector of {piece.id} has {reading.dims} numbers, those of {self.model} "
                f"had {self.dims} so far; embed the article again"
            )
        return reading.weigh(self.vocabularies.get(piece.lang) or Vocabulary())

    def _advance(self, reading: Reading) -> list[StoryChange]:
        """Let event time pass: close what fell quiet, forget what is too old. Vectors of another
        model cannot be compared, so a change of model closes every story."""
        changed = self.model not in ("", reading.model)
        self.model, self.dims = reading.model, reading.dims
        reading.piece.seen = self.clock.advance(reading.piece.time)
        quiet = self._close_quiet(everything=changed)
        if changed:
            self._forget_contents()
        self._forget()
        return [StoryChange(kind="closed", story=one.id) for one in quiet]

    def _settle(self, piece: Piece, decision: Decision, changes: list[StoryChange]) -> Placement:
        old = self.known.get(piece.id)
        before = self.seen.get(piece.id)
        vector = as_float32(piece.vector)
        if old is not None and _minor(old, piece, vector):
            piece.copy_of = old.copy_of
            if (home := self.shelf.stories.get(old.story)) is not None:
                self._take_out(home, old)
                changes += self._put(piece, home.id)
            else:
                self._remember(piece, old.story)
            return Placement(old.story, 0.0, piece.copy_of, changes, [])
        home = self.shelf.stories.get(before.story) if before is not None else None
        if home is not None and old is not None:
            self._take_out(home, old)
        original = self._original(piece)
        judged = self._judge(piece, vector, decision)
        story = self._choose(piece, judged, original, home)
        if original is not None:
            piece.copy_of = original.copy_of or original.id
        tried = why.considered(piece, judged.ranked, judged.rows, decision)
        changes += self._moved(piece, home, story)
        story, mended = self._mend(piece, judged, story, decision)
        changes += mended
        opened = self._put(piece, story)
        if opened and opened[0].kind == "created":
            opened[0].continues = self._continued(piece, vector, judged, decision)
        changes += opened
        novelty = 0.0 if piece.copy_of else round(min(1.0, max(0.0, 1.0 - judged.nearest)), 4)
        return Placement(piece.story, novelty, piece.copy_of, changes, tried)

    def _judge(self, piece: Piece, vector: Vector, decision: Decision) -> Judged:
        found, centres, background = self.shelf.candidates(piece, vector)
        stream = self.kind(decision)
        rows = signals.measure(piece, vector, found, centres, background, stream)
        scores = decision.scores(piece, found, rows)
        read = not piece.lang or piece.lang in decision.reads
        by = signals.NAMES.index("nearest" if read else "terms_nearest")
        nearest = max(0.0, float(rows[:, by].max())) if found else 0.0
        ranked = sorted(zip(scores, found, strict=True), key=lambda pair: (-pair[0], pair[1].id))
        by_story = {story.id: row for story, row in zip(found, rows, strict=True)}
        return Judged(ranked, nearest, background, stream, by_story)

    def kind(self, decision: Decision) -> tuple[float, float]:
        """What kind of stream it is: how scattered, how varied."""
        scattered = signals.scattered(len(self.shelf.stories), len(self.known))
        if (known := decision.file.alike) is None:
            return scattered, 0.0
        return scattered, signals.varied(self.shelf.alike(), known, scattered)

    def _continued(
        self, piece: Piece, vector: Vector, judged: Judged, decision: Decision
    ) -> str | None:
        """The closed story that the article would surely have joined, were it still open."""
        closed = self.archive.near(vector)
        if not closed:
            return None
        every = [*closed, *(story for _, story in judged.ranked)]  # the open ones are its rivals
        centres = np.array([story.cosine(vector) for story in every])
        rows = signals.measure(piece, vector, every, centres, judged.background, judged.stream)
        scores = decision.scores(piece, every, rows)
        # The rows of the rivals are left over.
        best, story = max(zip(scores, [one.id for one in closed], strict=False))
        return story if best > CONTINUES_FROM else None

    def _choose(
        self, piece: Piece, judged: Judged, original: Piece | None, home: Story | None
    ) -> str | None:
        """The id of the open story to join, None = a new one."""
        best = judged.ranked[0] if judged.ranked and judged.ranked[0][0] > 0 else None
        if home is not None:
            here = judged.score(home)
            stays = 0.0 if not home.size else EVICT_BELOW if here is None else here
            if best is None or best[1] is home:
                return home.id if stays > EVICT_BELOW else None
            return best[1].id if best[0] > stays + MOVE_MARGIN else home.id
        if original is not None and original.story in self.shelf.stories:
            return original.story
        return best[1].id if best is not None else None

    def _original(self, piece: Piece) -> Piece | None:
        """The earlier article of another outlet whose text this one repeats."""
        for _, article in self.sketches.like(piece.sketch):
            known = self.known[article]
            root = self.known.get(known.copy_of or known.id) or known
            if root.id != piece.id and root.outlet != piece.outlet:
                return known
        return None

    def _moved(self, piece: Piece, home: Story | None, story: str | None) -> list[StoryChange]:
        """What a revised article's change of place means for the story that it leaves."""
        if home is None or story == home.id:
            return []
        into = story or new_id(self.number, piece.id, piece.revision)
        if home.size > 0:
            return [StoryChange(kind="split", story=home.id, into=into, articles=[piece.id])]
        self.shelf.drop(home)
        return [StoryChange(kind="merged", story=home.id, into=into)]

    def _mend(
        self, piece: Piece, judged: Judged, story_id: str | None, decision: Decision
    ) -> tuple[str | None, list[StoryChange]]:
        """What the article, about to join that story, shows about it: that it is two, or one with
        another. Returns where the article goes then, and what changed."""
        story = self.shelf.stories.get(story_id) if story_id is not None else None
        if story is None or piece.copy_of is not None or not decision.by_two:
            return story_id, []
        if mend.due(story):
            around = self.shelf.around(story, piece)
            leaving = mend.leaving([*self.originals(story), piece], around, decision)
            if leaving:
                into = new_id(self.number, piece.id, f"{piece.revision}\0split")
                changes = self._split(story, leaving, into)
                return (into if piece in leaving else story.id), changes
        _, varied = judged.stream
        for other in mend.likely(judged.ranked, story, piece, varied):
            around = self.shelf.around(story, piece)
            if mend.same([*story.newest, piece], other.newest, around, decision, varied):
                gone, kept = sorted((story, other), key=lambda one: (one.size, one.id))
                return kept.id, self._merge(gone, kept)
        return story_id, []

    def _follow(self, change: StoryChange, piece: Piece) -> None:
        """Do what a logged change of stories says, the article in hand aside."""
        story = self.shelf.stories.get(change.story)
        if story is None or change.into is None:
            return
        if change.kind == "split":
            others = [self.known[one] for one in change.articles if one in self.known]
            self._split(story, [one for one in others if one.id != piece.id], change.into)
        elif change.kind == "merged" and not story.size:
            self.shelf.drop(story)
        elif change.kind == "merged" and (kept := self.shelf.stories.get(change.into)) is not None:
            self._merge(story, kept)

    def _count(self, piece: Piece, terms: Keys) -> None:
        self.vocabularies.setdefault(piece.lang, Vocabulary()).add(terms)


def _minor(old: Piece, new: Piece, vector: Vector) -> bool:
    return (
        copies.resemblance(old.sketch, new.sketch) >= MINOR_RESEMBLANCE
        or float(as_float32(old.vector) @ vector) >= MINOR_COSINE
    )
