"""Changes of the stories themselves, and the alerts that follow them."""

from __future__ import annotations

from sinks.database.books import Books
from sinks.database.decoded import Placement
from sinks.news import Moment, Policy
from stream.records import StoryChange


class StoryWriter:
    def __init__(self, books: Books, policy: Policy) -> None:
        self._books, self._policy = books, policy

    def change(self, change: StoryChange, item: Placement) -> None:
        books = self._books
        if change.story not in books.stories:
            self.open(change.story, change.label or item.article.title, item)
        row = books.stories[change.story] | {"lane": item.lane, "log_offset": item.offset}
        if change.kind == "created":
            opened = {"label": change.label or row["label"], "state": "open"}
            books.put_story(row | opened | {"continues": change.continues})
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
            self.open(into, books.stories[gone]["label"], item)
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
            self.open(into, change.label or item.article.title, item)
        into = books.survivor(into)
        leaving = [id_ for id_ in change.articles if id_ in books.articles]
        for id_ in leaving:
            if books.articles[id_]["lane"] == item.lane:  # else live news has its own story of it
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
                target = target or books.new_alert(alert.event_id, into, moment)
                telling = self._policy.matched(
                    target, self.label(into), member.piece, member.reason, moment
                )
                books.put_alert(target, telling)

    def open(self, story: str, label: str, item: Placement) -> None:
        self._books.put_story(
            {
                "id": story,
                "label": label,
                "state": "open",
                "merged_into": None,
                "continues": None,
                "lane": item.lane,
                "log_offset": item.offset,
            }
        )

    def label(self, story: str) -> str:
        return str(self._books.stories[story]["label"])
