"""Which alerts a decision concerns; what it means for them is the policy's to say."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.database.books import Books
from sinks.database.decoded import as_json
from sinks.news import Alert, Moment, Piece, Policy, Reason, look_back_id
from stream.records import Decision


class AlertWriter:
    def __init__(self, books: Books, policy: Policy) -> None:
        self._books, self._policy = books, policy

    def decided(
        self,
        piece: Piece,
        story: str,
        label: str,
        decisions: Sequence[Decision],
        before: set[str],
        moment: Moment,
        *,
        whole: bool = True,
    ) -> None:
        """Decisions about a revision of an article. `before`: the events it matched until now;
        `whole`: events without a decision are not matched."""
        books, policy = self._books, self._policy
        decided = {decision.event_id: decision for decision in decisions}
        wanted = {event: d for event, d in decided.items() if d.matched}
        for alert in self._holding(piece.id, moment.lane):
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
            target = target or books.new_alert(event, story, moment)
            books.put_alert(
                target, policy.matched(target, label, piece, _reason(wanted[event]), moment)
            )

    def looked_back(self, piece: Piece, story: str, decision: Decision, moment: Moment) -> None:
        """A decision taken again; not called when the article matched before and does now."""
        books = self._books
        told = books.alert_about(decision.event_id, story)
        if not decision.matched:
            if told is not None and told.members.pop(piece.id, None) is not None:
                books.put_alert(told)
            return
        reason = _reason(decision)
        if told is not None:
            told.join(piece, reason)
            books.put_alert(told)
        id_ = look_back_id(decision.event_id, decision.version, moment.lane)
        own = books.alerts.get(id_) or Alert.new(id_, decision.event_id, None, moment)
        books.put_alert(own, self._policy.looked_back(own, decision.version, piece, reason, moment))

    def holding(self, article_id: str, lane: int) -> set[str]:
        """The events that an alert of that lane tells the article of."""
        return {alert.event_id for alert in self._holding(article_id, lane)}

    def _holding(self, article_id: str, lane: int) -> list[Alert]:
        """The alerts of that lane about stories in which the article is a member."""
        return sorted(
            (
                alert
                for alert in self._books.alerts.values()
                if alert.story_id is not None
                and alert.merged_into is None
                and alert.lane == lane
                and article_id in alert.members
            ),
            key=lambda alert: alert.id,
        )


def _reason(decision: Decision) -> Reason:
    return Reason(decision.probability, as_json(decision))
