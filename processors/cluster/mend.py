"""When a story is two, and when two stories are one.

Only full texts are asked, and headlines where news is varied. Others say too little: merging
stories of headlines on one subject cost .04 B³ when they were left out, splitting them gained
nothing on one stream and cost .03 on another, while full texts gained .01 to .06. In general news
the pieces of a large story find each other: 6,366 headlines, which nothing is learned from,
gained .07.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from processors.cluster import pairs
from processors.cluster.decision import Decision
from processors.cluster.piece import Piece
from processors.cluster.story import Story

# A story falls apart where the mean chance across is under this, and two are one where it is over
# that. Between them nothing is touched, so that nothing moves to and fro.
SPLIT_UNDER, MERGE_OVER = 0.25, 0.75
# Where news is varied even odds are enough: of .75, .5 and .35 the last gained more on general news
# and cost look-alikes .02.
VARIED, MERGE_OVER_VARIED = 0.5, 0.5
# Among fewer articles nothing stands out: how near is near is read off what is around.
SEEN_AGAINST = 10
# A part of one article stays: it was placed by the better informed rule.
SMALLEST = 2
# Only stories that the article itself nearly fits are compared with its own (log-odds).
NEARLY, RIVALS = -2.0, 2


def due(story: Story) -> bool:
    """Whether the story, with one more article, is looked at."""
    return pairs.due(story.originals + 1) and 2 * story.headlines <= story.originals


def leaving(originals: Sequence[Piece], around: Sequence[Piece], decision: Decision) -> list[Piece]:
    """Members that are a story of their own, the smaller part; empty when all hold together."""
    newest = originals[-pairs.MOST :]
    if len(newest) < 2 * SMALLEST or len(newest) + len(around) < SEEN_AGAINST:
        return []
    one, other, across = pairs.parts(decision.chances(newest, around))
    small = other if len(other) <= len(one) else one  # of equals the older one keeps the story
    if across >= SPLIT_UNDER or len(small) < SMALLEST:
        return []
    return [newest[i] for i in small]


def likely(
    ranked: Sequence[tuple[float, Story]], chosen: Story, piece: Piece, varied: float
) -> Iterator[Story]:
    """Other stories that the article nearly fits, best first; none where a headline is asked,
    unless the stream is `varied` (see signals)."""
    headlines_too = varied >= VARIED
    if not headlines_too and (piece.headline_only or _headlines(chosen)):
        return
    others = [(score, story) for score, story in ranked if story is not chosen]
    for score, story in others[:RIVALS]:
        if score > NEARLY and story.newest and (headlines_too or not _headlines(story)):
            yield story


def _headlines(story: Story) -> bool:
    return any(one.headline_only for one in story.newest)


def same(
    ours: Sequence[Piece],
    theirs: Sequence[Piece],
    around: Sequence[Piece],
    decision: Decision,
    varied: float,
) -> bool:
    """Whether these are one story."""
    both = [*ours, *theirs]
    own = {one.id for one in both}
    context = [one for one in around if one.id not in own]
    across = decision.chances(both, context)[: len(ours), len(ours) :]
    return float(across.mean()) > (MERGE_OVER_VARIED if varied >= VARIED else MERGE_OVER)
