"""What a document would bring, item by item: for `dateline feeds check`. Stores nothing.

The fates are decided by the same functions as in a poll, as if nothing were known yet.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import sys
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from ingest import fates, feeds, language, normalise
from ingest.fates import DEAD, DUPLICATE, FATES, REVISED, Candidate, Tally
from ingest.fetch import Fetched
from ingest.items import Document, Item, Refusal
from ingest.probe import Probe, Probed
from ingest.settings import IngestSettings
from stream.errors import UsageError

STDIN = "-"
_GZIP = b"\x1f\x8b"
# Documents in hand for each worker: the next one waits in its pipe while one is being read.
_AHEAD = 2


class CheckedItem(Struct, kw_only=True):
    """One item as it would be ingested; what it does not have is None or ""."""

    position: int  # in the document, from 0
    fate: str  # stored | duplicate | filtered | dead
    reason: str = ""
    title: str | None = None
    url: str | None = None
    guid: str | None = None
    published: datetime | None = None
    published_from: str | None = None
    author: str | None = None
    lang: str | None = None
    outlet: str | None = None
    text: str | None = None
    article_id: str | None = None


class LeftOut(Struct):
    """Items that were not even read, such as those over the cap."""

    fate: str
    reason: str
    count: int


class Checked(Struct, kw_only=True):
    """What was found at a target; `counts` add up: seen = stored + duplicate + filtered + dead."""

    target: str
    url: str | None = None  # the address that answered, after redirects; None for a file
    kind: str | None = None
    encoding: str | None = None
    title: str | None = None
    link: str | None = None
    language: str | None = None  # what the feed claims
    hints: dict[str, Any] | None = None
    refusal: Refusal | None = None
    items: list[CheckedItem] = []
    left_out: list[LeftOut] = []
    counts: dict[str, int] = {}

    def as_dict(self) -> dict[str, Any]:
        """All of it in plain values, every key always there, times in ISO 8601."""
        found = structs.asdict(self)
        found["refusal"] = structs.asdict(self.refusal) if self.refusal else None
        found["left_out"] = [structs.asdict(x) for x in self.left_out]
        found["items"] = [
            structs.asdict(i) | {"published": i.published.isoformat() if i.published else None}
            for i in self.items
        ]
        return found


async def checked(
    target: str, probe: Probe, limit: int, *, content_type: str = "", base: str | None = None
) -> Checked:
    """What the URL, the file or "-" (standard input) holds; of a file at most `limit` bytes are
    read, and `content_type` and `base` are as if it had been served so and from there. Raises
    UsageError when there is no such file; whatever else is wrong is a `refusal`."""
    is_url = _is_url(target)
    if is_url:
        probed = await probe.ask(feeds.address(target))
    else:
        answer = _from_file(target, limit, content_type, base)
        probed = Probed(refusal=answer) if isinstance(answer, Refusal) else await probe.read(answer)
    url = probed.answer.final_url if probed.answer else None
    found = probed.document
    if found is None or url is None:
        shown = url if is_url else None
        return Checked(target=target, url=shown, refusal=probed.refusal, counts=_counts([], []))
    items = judged(found, url)
    left_out = [
        LeftOut(*what.partition(": ")[::2], count) for what, count in found.left_out.items()
    ]
    return Checked(
        target=target,
        url=url if is_url else None,
        kind=found.kind,
        encoding=found.encoding,
        title=found.title,
        link=found.link,
        language=claimed(found.items),
        hints=structs.asdict(found.hints),
        items=items,
        left_out=left_out,
        counts=_counts(items, left_out),
    )


def check(
    target: str, settings: IngestSettings, *, content_type: str = "", base: str | None = None
) -> Checked:
    """One target, see `checked`."""
    found: list[Checked] = []
    check_all([target], settings, found.append, content_type=content_type, base=base)
    return found[0]


def check_all(
    targets: Iterable[str],
    settings: IngestSettings,
    tell: Callable[[Checked], None],
    *,
    jobs: int = 1,
    content_type: str = "",
    base: str | None = None,
) -> None:
    """Check many with `jobs` workers; `tell` hears of each in the order of `targets`."""

    async def run() -> None:
        waiting: deque[asyncio.Task[Checked]] = deque()
        async with Probe(settings, jobs) as probe:
            try:
                for target in targets:
                    if len(waiting) >= jobs * _AHEAD:
                        tell(await waiting.popleft())
                    one = checked(
                        target, probe, settings.max_bytes, content_type=content_type, base=base
                    )
                    waiting.append(asyncio.create_task(one))
                while waiting:
                    tell(await waiting.popleft())
            finally:
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(run())


def judged(document: Document, url: str) -> list[CheckedItem]:
    """Each item of a document that came from `url` with its fate, in the document's order."""
    found = [
        CheckedItem(position=i.position, fate=DEAD, reason=i.error)
        for i in document.items
        if i.error
    ]
    candidates = normalise.candidates(
        document, feed_url=url, outlet=None, fetched=datetime.now(UTC), tally=Tally.empty()
    )
    tally = Tally.empty()
    chosen = {id(c) for c in fates.best(candidates, tally)}
    twice = next(iter(tally.reasons), "").partition(": ")[2]
    known: dict[str, fates.Known] = {}
    for c in candidates:
        if id(c) in chosen:
            fate, reason = fates.decide(c, known, {}, url)
            if fate == fates.STORED and fates.finish(c, {}, url):
                reason = "text cut to fit a record"
        else:
            fate, reason = DUPLICATE, twice
        found.append(_item(c, fate, reason))
    return sorted(found, key=lambda i: i.position)


def claimed(items: list[Item]) -> str | None:
    """The language that most items are said to be in."""
    claims = Counter(i.lang for i in items if i.lang)
    return claims.most_common(1)[0][0] if claims else None


def _item(c: Candidate, fate: str, reason: str) -> CheckedItem:
    a = c.article
    return CheckedItem(
        position=c.position,
        fate=fate,
        reason=reason,
        title=a.title,
        url=a.url,
        guid=a.ref,
        published=a.published,
        published_from=a.published_from,
        author=a.author,
        lang=a.lang or language.identify(a.title, a.text, c.lang_claim),
        outlet=a.outlet,
        text=a.text,
        article_id=a.id,
    )


def _counts(items: list[CheckedItem], left_out: list[LeftOut]) -> dict[str, int]:
    fate = Counter(i.fate for i in items)
    for skipped in left_out:
        fate[skipped.fate] += skipped.count
    # Nothing is known before a check, so nothing can be a revision.
    return {"seen": fate.total(), **{name: fate[name] for name in FATES if name != REVISED}}


def _is_url(target: str) -> bool:
    if "://" in target:
        return True
    if target == STDIN or Path(target).is_file():
        return False
    if "." in target and "/" not in target.partition(".")[0] and not Path(target).exists():
        return True  # a bare host name, such as news.example/rss
    raise UsageError(f"{target!r} is neither a URL nor a file; name one of them")


def _from_file(target: str, limit: int, content_type: str, base: str | None) -> Fetched | Refusal:
    name = "standard input" if target == STDIN else target
    try:
        if target == STDIN:
            body = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(target).open("rb") as file:
                body = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    try:
        if body.startswith(_GZIP):  # as a server would have sent it
            body = gzip.GzipFile(fileobj=io.BytesIO(body)).read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        return Refusal(kind="encoding", sentence=f"the gzip data is broken ({error})")
    if len(body) > limit:
        return Refusal(kind="too-large", sentence=f"{name} is over the limit of {limit:,} bytes")
    address = base or f"http://localhost/{Path(target).name}"
    return Fetched(body=body, status=200, content_type=content_type, final_url=address)
