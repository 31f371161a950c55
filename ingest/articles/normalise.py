"""Items of a feed document to candidates: who published it, what names it, when it was fetched."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from ingest.articles import identity, urls
from ingest.articles.fates import DEAD, Candidate, Tally, candidate
from ingest.documents.items import Document, Item
from stream.records import Article


def candidates(
    document: Document, *, feed_url: str, outlet: str | None, fetched: datetime, tally: Tally
) -> list[Candidate]:
    """What `document` brings; items that could not be read are dead in `tally` at once."""
    for fate_and_reason, count in document.left_out.items():
        fate, _, reason = fate_and_reason.partition(": ")
        tally.add(fate, reason, count)
    readable = []
    for item in document.items:
        if item.error:
            tally.add(DEAD, item.error)
        else:
            readable.append(item)
    shared = _shared_links(readable)
    ids: dict[int, str] = {}
    by_guid: dict[str, set[str]] = defaultdict(set)
    outlets = {
        i.position: outlet or urls.domain(i.url) or urls.domain(feed_url) or "unknown"
        for i in readable
    }
    for item in readable:
        names_one = urls.identity_key(item.url) not in shared
        ids[item.position] = identity.article_id(
            url=item.url if names_one else None,
            outlet=outlets[item.position],
            guid=item.guid or (item.url if "#" in (item.url or "") else None),
            content=f"{item.title}\n{item.text}",
        )
        if item.guid:
            by_guid[item.guid].add(ids[item.position])
    found = []
    for item in readable:
        article_id = ids[item.position]
        article = Article(
            id=article_id,
            revision="",
            title=item.title,
            text=item.text,
            outlet=outlets[item.position],
            fetched=fetched,
            published=item.published,
            published_from="feed" if item.published else "none",
            url=item.url,
            ref=item.guid,
            feed=feed_url,
            author=item.author,
            lang=item.spoken,
        )
        # A guid that several articles carry at once names none of them.
        if item.guid and len(by_guid[item.guid]) == 1:
            key = item.guid
        else:
            key = f"{item.guid}|{article_id}" if item.guid else article_id
        found.append(
            candidate(article, item.position, item_key=identity.key(key), lang_claim=item.lang)
        )
    return found


def _shared_links(items: list[Item]) -> set[str | None]:
    """Links that stand in items with different guids (or parts of one page) and different titles:
    a section's or the publisher's page, not the article's."""
    guids: dict[str, set[str]] = defaultdict(set)
    titles: dict[str, set[str]] = defaultdict(set)
    for item in items:
        key = urls.identity_key(item.url)
        if key and (name := item.guid or item.url):
            guids[key].add(name)
            titles[key].add(item.title)
    return {key for key in guids if len(guids[key]) > 1 and len(titles[key]) > 1}
