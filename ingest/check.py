"""What a feed would bring: for `dateline feeds check`. Stores nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest import feeds, language, normalise
from ingest.fates import DEAD, FILTERED, STORED, Tally
from ingest.fetch import Fetched, Fetcher, FetchError
from ingest.items import Document, Refusal
from ingest.settings import IngestSettings
from ingest.workers import Workers
from stream.errors import DatelineError, UsageError

_FIELDS = ("published", "title", "url", "text", "lang", "outlet", "guid", "article_id")


def check(target: str, settings: IngestSettings) -> list[dict[str, Any]]:
    """Every item of the feed at a URL or in a file, in its order: fate, reason, published (ISO),
    title, url, text, lang, outlet, guid, article_id. Raises DatelineError when the feed does not
    answer or is none, UsageError when `target` is neither a URL nor a file."""
    path = Path(target)
    if "://" not in target and path.is_file():
        answer = Fetched(
            body=path.read_bytes(), status=200, content_type="", final_url=f"http://localhost/{path.name}"
        )  # fmt: skip
        return asyncio.run(_read(target, answer, settings))
    if "://" not in target and "." not in target:
        raise UsageError(f"{target!r} is neither a URL nor a file; name one of them")
    return asyncio.run(_check(feeds.address(target), settings))


async def _check(url: str, settings: IngestSettings) -> list[dict[str, Any]]:
    async with Fetcher(settings) as fetcher:
        answer = await fetcher.fetch(url)
    if isinstance(answer, Fetched):
        return await _read(url, answer, settings)
    sentence = answer.sentence if isinstance(answer, FetchError) else "304 to a first request"
    raise DatelineError(f"{url}: {sentence}")


async def _read(target: str, answer: Fetched, settings: IngestSettings) -> list[dict[str, Any]]:
    async with Workers(1, settings.parse_deadline, settings.max_items) as workers:
        found = await workers.parse(answer.body, answer.content_type, answer.final_url)
    if isinstance(found, Refusal):
        raise DatelineError(f"{target}: {found.sentence}")
    return _rows(found, answer.final_url)


def _rows(document: Document, url: str) -> list[dict[str, Any]]:
    blank = dict.fromkeys(_FIELDS)
    rows = [blank | {"fate": DEAD, "reason": item.error} for item in document.items if item.error]
    tally = Tally.empty()
    first: dict[str, int] = {}
    for c in normalise.candidates(
        document, feed_url=url, outlet=None, fetched=datetime.now(UTC), tally=tally
    ):
        a = c.article
        fate, reason = STORED, ""
        if not a.title and not a.text:
            fate, reason = FILTERED, "no title and no text"
        elif a.id in first:
            fate, reason = "duplicate", "the same article stands twice in this document"
        first.setdefault(a.id, c.position)
        rows.append(
            {
                "fate": fate,
                "reason": reason,
                "published": a.published.isoformat() if a.published else None,
                "title": a.title,
                "url": a.url,
                "text": a.text,
                "lang": language.identify(a.title, a.text, c.lang_claim),
                "outlet": a.outlet,
                "guid": a.ref,
                "article_id": a.id,
            }
        )
    for what, count in document.left_out.items():
        fate, _, reason = what.partition(": ")
        rows += [blank | {"fate": fate, "reason": reason}] * min(count, 1)
    return rows
