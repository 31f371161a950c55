"""What an analyst is told, and when. Pure decisions: the same records give the same alerts.

One alert an (event, story), raised by its first matched article and updated in place as the story
grows. Being told again has a price, so only four things are worth it:

- its independent sources have doubled since it was last told: 2, then 4, 8 … A rumour that a
  second newsroom confirms is news; the ninth newsroom is not.
- the article that leads it has changed its headline: what was passed on may now be wrong.
- an article in it turned out not to be about the event: somebody may have acted on it.
- two stories became one and that doubled the sources: the same rule as the first.

Copies and pieces that credit a wire raise the articles, never the independent sources.
"""

from __future__ import annotations

from collections.abc import Sequence

from sinks.alerts import words
from sinks.news import Alert, Moment, Piece, Reason, Telling

# An alert holds what fits a phone; the desk has the rest.
PAYLOAD_ARTICLES = 5


class AlertPolicy:
    """Implements `sinks.news.Policy`."""

    def __init__(self, channels: Sequence[str] = (), *, tells_backfill: bool = False) -> None:
        self.channels: Sequence[str] = tuple(channels)
        self.tells_backfill = tells_backfill

    def matched(
        self, alert: Alert, label: str, piece: Piece, reason: Reason, moment: Moment
    ) -> Telling | None:
        before = alert.independent_sources
        alert.join(piece, reason)
        what = words.joined(piece, before, alert.independent_sources)
        _change(alert, label or (alert.lead or piece).title, what, moment)
        if alert.sequence == 0 or _doubled(alert):
            return _tell(alert, piece, reason, moment)
        return None

    def revised(self, alert: Alert, piece: Piece, reason: Reason, moment: Moment) -> Telling | None:
        old = alert.members[piece.id].piece
        alert.join(piece, reason)
        lead = alert.lead
        headline_changed = (
            lead is not None and lead.id == piece.id and words.differ(old.title, piece.title)
        )
        what = (
            words.new_headline(piece)
            if headline_changed
            else f"{piece.outlet} has revised its article"
        )
        _change(alert, alert.headline, what, moment)
        if headline_changed or _doubled(alert):
            return _tell(alert, piece, reason, moment)
        return None

    def withdrawn(self, alert: Alert, piece: Piece, moment: Moment) -> Telling | None:
        alert.members.pop(piece.id, None)
        _change(alert, alert.headline, words.corrected(piece, alert.articles), moment)
        return _tell(alert, piece, None, moment)

    def merged(self, alert: Alert, other: Alert, moment: Moment) -> Telling | None:
        for member in sorted(other.members.values(), key=lambda m: m.number):
            if member.piece.id not in alert.members:
                alert.join(member.piece, member.reason)
        alert.told_sources = max(alert.told_sources, other.told_sources)
        alert.first_at = min(alert.first_at, other.first_at)
        what = words.joined_stories(alert.articles, alert.independent_sources)
        _change(alert, alert.headline, what, moment)
        other.merged_into = alert.id
        if _doubled(alert) and (last := max(alert.members.values(), key=lambda m: m.number)):
            return _tell(alert, last.piece, last.reason, moment)
        return None

    def looked_back(
        self, alert: Alert, version: int, piece: Piece, reason: Reason, moment: Moment
    ) -> Telling:
        alert.join(piece, reason)
        what = words.looked_back(alert.articles, alert.independent_sources, version)
        _change(alert, what, what, moment)
        alert.sequence = 0  # told once: this telling takes the place of the one before
        best = max(alert.members.values(), key=lambda m: (m.reason.probability, -m.number))
        return _tell(alert, best.piece, best.reason, moment)


def _change(alert: Alert, headline: str, what_is_new: str, moment: Moment) -> None:
    alert.headline = headline
    alert.what_is_new = what_is_new
    # Feeds bring older articles later; an alert does not go back in time with them.
    alert.updated_at = max(alert.updated_at, moment.at)
    alert.lane, alert.log_offset = moment.lane, moment.log_offset


def _doubled(alert: Alert) -> bool:
    return alert.independent_sources >= max(2, 2 * alert.told_sources)


def _tell(alert: Alert, piece: Piece, reason: Reason | None, moment: Moment) -> Telling:
    alert.sequence += 1
    alert.told_at = max(alert.told_at, moment.at)
    alert.told_sources = max(alert.told_sources, alert.independent_sources)
    newest = sorted(alert.members.values(), key=lambda m: (m.piece.fetched, m.number))
    payload = {
        "alert_id": alert.id,
        "sequence": alert.sequence,
        "event": {"id": alert.event_id},  # its title is added when it is sent
        "headline": alert.headline,
        "what_is_new": alert.what_is_new,
        "at": alert.updated_at.isoformat(),
        "first_at": alert.first_at.isoformat(),
        "article_count": alert.articles,
        "independent_sources": alert.independent_sources,
        "articles": [
            {
                "title": member.piece.title,
                "url": member.piece.url,
                "outlet": member.piece.outlet,
                "published": member.piece.published and member.piece.published.isoformat(),
                "probability": round(member.reason.probability, 4),
            }
            for member in newest[::-1][:PAYLOAD_ARTICLES]
        ],
        "reason": words.reason(piece, reason),
        "desk": words.desk_path(alert.event_id),
    }
    return Telling(alert.id, alert.sequence, alert.updated_at, payload)
