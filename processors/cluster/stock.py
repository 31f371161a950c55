"""What a lane holds: open stories, recent articles, and what was seen; and how each is moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Raw

from processors.cluster import copies, kept
from processors.cluster.archive import Archive
from processors.cluster.asleep import Asleep
from processors.cluster.clock import Clock
from processors.cluster.kept import Seen
from processors.cluster.piece import Piece
from processors.cluster.place import Shelf
from processors.cluster.story import Story, new_id, open_story
from stream.records import StoryChange


class Stock:
    """Open stories on the shelf, the pieces of the quiet window by id, and the ids of a longer one.
    `quiet` and `remembers` are seconds of the lane's clock."""

    def __init__(self, number: int, quiet: float, remembers: float) -> None:
        self.number, self.quiet, self.remembers = number, quiet, remembers
        self.clock = Clock(leap=quiet)
        self.shelf = Shelf(self._read_story)
        self.archive = Archive()
        # By age; the content of recent articles.
        self.known: Asleep[Piece] = Asleep(kept.read_piece)
        # By story the known articles in it.
        self.inside: Asleep[dict[str, None]] = Asleep(kept.read_inside)
        self.seen: Asleep[Seen] = Asleep(kept.read_seen)  # by age
        self.sketches = copies.Sketches(lambda article: self.known[article].sketch)

    def _read_story(self, raw: Raw) -> Story:
        return kept.read_story(raw, self.known)

    def members(self, story: Story) -> list[Piece]:
        """Its known articles, oldest first."""
        found = [self.known[one] for one in self.inside.get(story.id) or ()]
        return sorted(found, key=lambda piece: (piece.seen, piece.id))

    def originals(self, story: Story) -> list[Piece]:
        """Those of them that are no copies."""
        return [one for one in self.members(story) if one.copy_of is None]

    # -- one article -----------------------------------------------------------------------------

    def _take_out(self, story: Story, piece: Piece) -> None:
        story.remove(piece)
        self.sketches.remove(piece.id, piece.sketch)
        self.shelf.refresh(story)

    def _put(self, piece: Piece, story_id: str | None) -> list[StoryChange]:
        """Into that story, or a new one when it is None or not open any more."""
        story = self.shelf.stories.get(story_id) if story_id is not None else None
        if story is None:
            name = story_id or new_id(self.number, piece.id, piece.revision)
            story = open_story(name, piece, self.shelf.next_row())
            changes = [StoryChange(kind="created", story=story.id, label=story.label)]
        elif story.add(piece):
            changes = [StoryChange(kind="relabelled", story=story.id, label=story.label)]
        else:
            changes = []
        self.shelf.put(story)
        self._remember(piece, story.id)
        return changes

    def _remember(self, piece: Piece, story: str) -> None:
        old = self.known.get(piece.id)
        if old is not None:
            self._drop(old)
        piece.story = story
        self.known[piece.id] = piece
        self._enter(piece)
        self.sketches.add(piece.id, piece.sketch)
        seen = self.seen.pop(piece.id) or Seen([], story, piece.seen)
        seen.revisions.append(piece.revision)
        seen.story, seen.at = story, piece.seen
        self.seen[piece.id] = seen

    def _drop(self, piece: Piece) -> None:
        """It is known no more."""
        self.shelf.stories.get(piece.story)  # one that sleeps would look for it later
        del self.known[piece.id]
        self._leave(piece)
        self.sketches.remove(piece.id, piece.sketch)

    def _enter(self, piece: Piece) -> None:
        inside = self.inside.get(piece.story)
        if inside is None:
            self.inside[piece.story] = {piece.id: None}
        else:
            inside[piece.id] = None

    def _leave(self, piece: Piece) -> None:
        inside = self.inside[piece.story]
        del inside[piece.id]
        if not inside:
            del self.inside[piece.story]

    # -- many at once ----------------------------------------------------------------------------

    def _split(self, story: Story, leaving: Iterable[Piece], into: str) -> list[StoryChange]:
        """These and their copies go into a new story of that id; others are left out."""
        ids = {piece.id for piece in leaving}
        going = [p for p in self.members(story) if p.id in ids or p.copy_of in ids]
        going.sort(key=lambda piece: piece.copy_of is not None)  # a story is opened by an original
        if not going:
            return []
        fresh: Story | None = None
        for piece in going:
            story.remove(piece)
            if fresh is None:
                fresh = open_story(into, piece, self.shelf.next_row())
            else:
                fresh.add(piece)
            self._rename(piece, into)
        assert fresh is not None
        fresh.seen = self.clock.now or fresh.seen  # the last in the order of growth
        self.shelf.refresh(story)
        self.shelf.put(fresh)
        changes = [
            StoryChange(kind="created", story=into, label=fresh.label),
            StoryChange(kind="split", story=story.id, into=into, articles=[p.id for p in going]),
        ]
        if story.label_again():
            changes.append(StoryChange(kind="relabelled", story=story.id, label=story.label))
        return changes

    def _merge(self, gone: Story, kept: Story) -> list[StoryChange]:
        """All of `gone` goes into `kept`."""
        relabelled = kept.absorb(gone)
        for piece in self.members(gone):
            self._rename(piece, kept.id)
        self.shelf.drop(gone)
        self.shelf.put(kept)
        changes = [StoryChange(kind="merged", story=gone.id, into=kept.id)]
        if relabelled:
            changes.append(StoryChange(kind="relabelled", story=kept.id, label=kept.label))
        return changes

    def _rename(self, piece: Piece, story: str) -> None:
        self._leave(piece)
        piece.story = self.seen[piece.id].story = story
        self._enter(piece)

    # -- time ------------------------------------------------------------------------------------

    def _close_quiet(self, *, everything: bool) -> Sequence[Story]:
        """Take the stories off the shelf that did not grow for the quiet window, or all."""
        now = self.clock.now or 0.0
        quiet: list[Story] = []
        for story in self.shelf.stories.values():  # in the order in which they last grew
            if not everything and story.seen >= now - self.quiet:
                break
            quiet.append(story)
        quiet.sort(key=lambda story: story.id)  # as `adopt` finds them in a placement
        for story in quiet:
            self._close(story)
        return quiet

    def _close(self, story: Story) -> None:
        self.shelf.drop(story)
        self.archive.add(story)

    def _forget(self) -> None:
        now = self.clock.now or 0.0
        while self.known and (oldest := next(self.known.values())).seen < now - self.quiet:
            self._drop(oldest)
        while self.seen and next(self.seen.values()).at < now - self.remembers:
            del self.seen[next(iter(self.seen))]
        self.archive.forget(now - self.remembers)

    def _forget_contents(self) -> None:
        """Nothing can be compared with what comes."""
        self.known.clear()
        self.inside.clear()
        self.archive = Archive()
        self.sketches.clear()
        self.shelf = Shelf(self._read_story)
