"""What a lane of `dateline.matched` does to the books, one record after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from sinks.database.books import Books, piece_of
from sinks.database.decoded import LookBack, Placement, as_json, open_matched
from sinks.news import Alert, Moment, Piece, Policy, Reason, look_back_id
from sinks.outlets import Outlets
from stream.log.contract import LogRecord
from stream.records import LIVE_LANE, Decision, StoryChange


def write(
    connection: sa.Connection, batch: Sequence[LogRecord], policy: Policy, outlets: Outlets
) -> None:
    """Rows and alerts of these records, in the transaction of the connection."""
    items = [open_matched(record) for record in batch]
    articles: set[str] = set()
    stories: set[str] = set()
    alerts: set[str] = set()
    for item in items:
        if isinstance(item, LookBack):
            articles.add(item.article_id)
            alerts.update(look_back_id(d.event_id, d.version, item.lane) for d in item.decisions)
        else:
            articles.add(item.article.id)
            stories.add(item.story)
            for change in item.changes:
                stories.update({change.story, change.into} - {None})  # type: ignore[arg-type]
                articles.update(change.articles)
    books = Books(connection, articles, stories, alerts)
    writer = LaneWriter(books, policy, outlets)
    for item in items:
        if isinstance(item, LookBack):
            writer.look_back(item)
        else:
            writer.place(item)
    books.flush(policy.channels if items[0].lane == LIVE_LANE or policy.tells_backfill else ())


class LaneWriter:
    def __init__(self, books: Books, policy: Policy, outlets: Outlets) -> None:
        self._books, self._policy, self._outlets = books, policy, outlets

    # -- a placed article ------------------------------------------------------------------------

    def place(self, item: Placement) -> None:
        books, article = self._books, item.article
        old = books.articles.get(article.id)
        known = books.revisions.get((article.id, article.revision))
        if known is not None and known[1] <= item.lane:
            self._again(item, old)
            return
        old_story = old["story_id"] if old else None
        for change in item.changes:
            self._change(change, item)
        story = books.survivor(item.story)
        if story not in books.stories:
            self._open_story(story, article.title, item)
        numbers = [
            number
            for (id_, _), (number, lane) in books.revisions.items()
            if id_ == article.id and lane == item.lane
        ]
        number = max(numbers, default=0) + 1
        position = {"lane": item.lane, "log_offset": item.offset}
        books.put_revision(
            {
                "article_id": article.id,
                "revision_hash": article.revision,
                "number": number,
                "title": article.title,
                "text": article.text,
                "fetched": article.fetched,
                **position,
            }
        )
        books.put_fate(
            {
                "stage": "database",
                "record": f"{article.id}@{article.revision}",
                "fate": "stored" if number == 1 else "revised",
                "reason": _fate_reason(item, story, number, old_story),
                "article_id": article.id,
                **position,
            }
        )
        if old is not None and old["lane"] < item.lane:
            return  # backfill brings what is live already: live stays as it is
        outlet = self._outlets.find(article.outlet)
        wire = self._outlets.credited_wire(article.text)
        same_lane = old is not None and old["lane"] == item.lane
        row = {
            "id": article.id,
            "ref": article.ref,
            "url": article.url,
            "title": article.title,
            "text": article.text,
            "outlet": article.outlet,
            "outlet_name": outlet.name,
            "family": outlet.family,
            "verified": outlet.verified,
            "wire": wire.family if wire else None,
            "lang": article.lang,
            "published": article.published,
            "published_from": article.published_from,
            "fetched": article.fetched,
            "event_time": article.event_time,
            "revision": number,
            "revision_hash": article.revision,
            "copy_of": item.copy_of,
            "novelty": item.novelty,
            "story_id": story,
            "first_story_id": old["first_story_id"] if old and same_lane else item.story,
            "model": item.model,
            "vector": item.vector,
            **position,
        }
        books.put_article(row)
        before = self._decide(item)
        self._alert(item, story, piece_of(row), before)

    def _again(self, item: Placement, old: dict[str, Any] | None) -> None:
        """A redelivered duplicate: only decisions that differ are news."""
        if old is None or old["revision_hash"] != item.article.revision or old["lane"] < item.lane:
            return
        books = self._books
        changed = [
            decision
            for decision in item.decisions
            if (row := books.matches.get((decision.event_id, item.article.id))) is None
            or row["reasons"] != as_json(decision)
        ]
        if changed:
            before = self._decide(item._replace(decisions=changed), whole=False)
            kept = item._replace(decisions=changed)
            self._alert(kept, old["story_id"], piece_of(old), before, whole=False)

    def _decide(self, item: Placement, whole: bool = True) -> set[str]:
        """Write the decisions; the events that the article matched before. `whole`: events
        without a decision are not worth keeping any more."""
        books, id_ = self._books, item.article.id
        known = {event: row for (event, article), row in books.matches.items()
                 if article == id_ and row is not None}  # fmt: skip
        before = {event for event, row in known.items() if row["matched"]}
        for decision in item.decisions:
            books.put_match(_match(decision, item, id_, history=False))
        if whole:
            for event in set(known) - {decision.event_id for decision in item.decisions}:
                books.drop_match(event, id_)
        return before

    def _alert(
        self, item: Placement, story: str, piece: Piece, before: set[str], whole: bool = True
    ) -> None:
        books, policy = self._books, self._policy
        decided = {decision.event_id: decision for decision in item.decisions}
        wanted = {event: d for event, d in decided.items() if d.matched}
        moment = Moment(piece.fetched, item.lane, item.offset)
        for alert in self._holding(piece.id):
            if not whole and alert.event_id not in decided:
                continue
            decision = wanted.pop(alert.event_id, None)
            if decision is None:
                books.put_alert(alert, policy.withdrawn(alert, piece, moment))
                continue
            target = books.alert_about(alert.event_id, story)
            if alert.story_id == story or (target is None and alert.articles == 1):
                alert.story_id = story
                books.put_alert(alert, policy.revised(alert, piece, _reason(decision), moment))
            else:  # it has left that story for another
                del alert.members[piece.id]
                books.put_alert(alert)
                wanted[alert.event_id] = decision
                before.discard(alert.event_id)
        for event in sorted(wanted):
            target = books.alert_about(event, story)
            if target is None and event in before:
                continue  # told by a look-back
            alert, telling = policy.matched(
                target, event, story, self._label(story), piece, _reason(wanted[event]), moment
            )
            books.put_alert(alert, telling)

    # -- stories ---------------------------------------------------------------------------------

    def _change(self, change: StoryChange, item: Placement) -> None:
        books = self._books
        if change.story not in books.stories:
            self._open_story(change.story, change.label or item.article.title, item)
        row = books.stories[change.story] | {"lane": item.lane, "log_offset": item.offset}
        if change.kind == "created":
            books.put_story(row | {"label": change.label or row["label"], "state": "open"})
        elif change.kind == "relabelled" and change.label:
            books.put_story(row | {"label": change.label})
            for alert in books.alerts_of(change.story):
                alert.headline = change.label
                books.put_alert(alert)
        elif change.kind == "closed":
            books.put_story(row | {"state": "closed"})
        elif change.kind == "merged" and change.into:
            self._merge(change.story, change.into, item)
        elif change.kind == "split" and change.into:
            self._split(change, change.into, item)

    def _merge(self, gone: str, into: str, item: Placement) -> None:
        books = self._books
        if into not in books.stories:
            self._open_story(into, books.stories[gone]["label"], item)
        into = books.survivor(into)
        if books.stories[gone]["merged_into"] or into == gone:
            return
        position = {"lane": item.lane, "log_offset": item.offset}
        books.put_story(books.stories[gone] | {"state": "merged", "merged_into": into} | position)
        for row in list(books.stories.values()):
            if row["merged_into"] == gone:
                books.put_story(row | {"merged_into": into})
        books.merges.append((gone, into))
        for row in books.articles.values():
            if row["story_id"] == gone:
                row["story_id"] = into
        moment = Moment(item.article.fetched, item.lane, item.offset)
        for alert in books.alerts_of(gone):
            target = books.alert_about(alert.event_id, into)
            if target is None:
                alert.story_id = into
                books.put_alert(alert)
            else:
                books.put_alert(target, self._policy.merged(target, alert, moment))
                books.put_alert(alert)

    def _split(self, change: StoryChange, into: str, item: Placement) -> None:
        """Articles that leave for another story take their alerts along. The article in hand is
        left out: its own decisions follow and see to that."""
        books = self._books
        if into not in books.stories:
            self._open_story(into, change.label or item.article.title, item)
        into = books.survivor(into)
        leaving = [id_ for id_ in change.articles if id_ in books.articles]
        for id_ in leaving:
            books.articles[id_]["story_id"] = into
            books.moved.add(id_)
        moment = Moment(item.article.fetched, item.lane, item.offset)
        for alert in books.alerts_of(change.story):
            inside = [id_ for id_ in leaving if id_ in alert.members and id_ != item.article.id]
            target = books.alert_about(alert.event_id, into)
            if inside and target is None and len(inside) == alert.articles:
                alert.story_id = into
                books.put_alert(alert)
                continue
            for id_ in inside:
                member = alert.members.pop(id_)
                books.put_alert(alert)
                target, telling = self._policy.matched(
                    target, alert.event_id, into, self._label(into), member.piece, member.reason,
                    moment,
                )  # fmt: skip
                books.put_alert(target, telling)

    def _open_story(self, story: str, label: str, item: Placement) -> None:
        self._books.put_story(
            {
                "id": story,
                "label": label,
                "state": "open",
                "merged_into": None,
                "lane": item.lane,
                "log_offset": item.offset,
            }
        )

    # -- decisions taken again -------------------------------------------------------------------

    def look_back(self, item: LookBack) -> None:
        books, policy = self._books, self._policy
        article = books.articles.get(item.article_id)
        for decision in item.decisions:
            event = decision.event_id
            old = books.matches.get((event, item.article_id))
            if old is not None and (old["lane"] < item.lane or old["reasons"] == as_json(decision)):
                continue
            books.put_match(_match(decision, item, item.article_id, history=True))
            if article is None:
                continue  # older than what the log of this rebuild still held
            piece, reason = piece_of(article), _reason(decision)
            moment = Moment(piece.fetched, item.lane, item.offset)
            told = books.alert_about(event, article["story_id"])
            if not decision.matched:
                if told is not None and told.members.pop(piece.id, None) is not None:
                    books.put_alert(told)
            elif old is None or not old["matched"]:
                if told is not None:
                    told.join(piece, reason)
                    books.put_alert(told)
                history = books.alerts.get(look_back_id(event, decision.version, item.lane))
                books.put_alert(
                    *policy.looked_back(history, event, decision.version, piece, reason, moment)
                )

    def _holding(self, article_id: str) -> list[Alert]:
        return sorted(
            (
                alert
                for alert in self._books.alerts.values()
                if alert.story_id is not None
                and alert.merged_into is None
                and article_id in alert.members
            ),
            key=lambda alert: alert.id,
        )

    def _label(self, story: str) -> str:
        return str(self._books.stories[story]["label"])


def _match(
    decision: Decision, item: Placement | LookBack, article_id: str, *, history: bool
) -> dict[str, Any]:
    return {
        "id": f"{decision.event_id}:{article_id}",
        "event_id": decision.event_id,
        "article_id": article_id,
        "probability": decision.probability,
        "matched": decision.matched,
        "reasons": as_json(decision),
        "definition_version": decision.version,
        "model": decision.model,
        "decided_at": item.time,
        "history": history,
        "lane": item.lane,
        "log_offset": item.offset,
    }


def _reason(decision: Decision) -> Reason:
    return Reason(decision.probability, as_json(decision))


def _fate_reason(item: Placement, story: str, number: int, old_story: str | None) -> str:
    """Few different ones: they are counted in `v_fates`."""
    if number > 1:
        return "kept its story" if old_story in (item.story, story) else "moved to another story"
    if item.copy_of is not None:
        return "a copy"
    opened = any(change.kind == "created" and change.story == item.story for change in item.changes)
    return "opened a story" if opened else "joined a story"
