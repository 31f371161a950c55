"""Replay of an archive: JSON lines with id, url, title, text, published, lang, source.

Any field may be null or missing; others are ignored. Nothing here depends on when it runs, except
the times of the `polls` rows: the same file gives the same articles, and a second run appends
nothing.

An undated article is fetched when the dated one before it was; before the first dated one, when
that one was; in a file without any date, at `UNDATED`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from ingest.articles import identity, urls
from ingest.articles.fates import DEAD, FATES, Candidate, Tally, candidate
from ingest.books.intake import Delivery, Intake
from ingest.documents import clean, dates, language
from ingest.polling.floor import Floor
from ingest.settings import IngestSettings
from store.tables import polls
from stream.errors import Unavailable, UsageError
from stream.log.contract import Log
from stream.records import BACKFILL_LANE, Article

# The instant for a file in which no article has a date: far from any news, and always the same.
UNDATED = datetime(2000, 1, 1, tzinfo=UTC)
# Articles between two saves: a killed run repeats at most these, and a save takes milliseconds.
_CHUNK = 256
# Line numbers of broken lines that the ledger names; the rest are only counted.
_NAMED_LINES = 20

Progress = Callable[[int, int], None]  # lines done, lines in the file


class ReplayReport(Struct, kw_only=True):
    """What became of the lines of one file; the fates add up to `seen`."""

    source: str
    seen: int
    stored: int
    revised: int
    duplicate: int
    filtered: int
    dead: int
    reasons: dict[str, int]


class _Row(Struct, kw_only=True):
    line: int
    article: Article | None = None
    error: str | None = None


class _Survey(Struct):
    """What has to be known of the whole file before its first article can be appended."""

    lines: int
    first_dated: datetime
    chains: dict[str, list[str]]  # article id -> revisions, where rows repeat an id


def replay(
    path: Path,
    log: Log,
    engine: sa.Engine,
    settings: IngestSettings | None = None,
    *,
    progress: Progress | None = None,
    lane: int = BACKFILL_LANE,
    floor: Floor | None = None,
    pace: Callable[[], None] | None = None,
) -> ReplayReport:
    """Append what the file at `path` holds and the log does not have yet. Raises UsageError when
    there is no such file or it holds no JSON object, Unavailable when the log or the database is
    away or their disk is full to the `floor` (run it again: it goes on where it stopped).
    `pace` is called before each portion and returns when there is time for it."""
    survey = _survey(path)
    source = f"archive:{path.name}"
    run = _Run(source, Intake(engine, log), survey, progress, floor or Floor([], 0), pace)
    try:
        for row in _articles(path, survey.first_dated, lane):
            run.add(row)
        run.save()
    finally:
        run.intake.close()
    fates = {fate: run.total.fates[fate] for fate in FATES}
    return ReplayReport(
        source=source, seen=run.total.seen, reasons=dict(run.total.reasons), **fates
    )


class _Run:
    """Collects rows to chunks and gives each chunk to the intake."""

    def __init__(
        self,
        source: str,
        intake: Intake,
        survey: _Survey,
        progress: Progress | None,
        floor: Floor,
        pace: Callable[[], None] | None,
    ) -> None:
        self.intake, self.total = intake, Tally.empty()
        self._floor, self._pace = floor, pace
        self._source, self._survey, self._progress = source, survey, progress
        self._tally, self._waiting = Tally.empty(), list[Candidate]()
        self._steps: Counter[str] = Counter()
        self._lines = self._broken = 0
        self._at = datetime.now(UTC)

    def add(self, row: _Row) -> None:
        self._lines += 1
        self._tally.seen += 1
        if row.article is None:
            self._broken += 1
            where = f"line {row.line}: " if self._broken <= _NAMED_LINES else ""
            self._tally.add(DEAD, f"{where}{row.error}")
        else:
            found = candidate(row.article, row.line)
            found.chain = self._survey.chains.get(row.article.id)
            if found.chain:
                found.step = self._steps[row.article.id]
                self._steps[row.article.id] += 1
            self._waiting.append(found)
        if self._lines % _CHUNK == 0:
            self.save()

    def save(self) -> None:
        if not self._tally.seen:
            return
        if reason := self._floor.look():
            raise Unavailable(reason)
        if self._pace is not None:
            self._pace()
        # The ledger's key holds the time; two chunks must not share one.
        self._at = max(datetime.now(UTC), self._at + timedelta(microseconds=1))
        delivery = Delivery(
            candidates=self._waiting, source=self._source, at=self._at, tally=self._tally,
            in_order=True,
        )  # fmt: skip
        self.intake.take([delivery], self._ledger)
        self.total.seen += self._tally.seen
        self.total.fates += self._tally.fates
        self.total.reasons += self._tally.reasons
        self._tally, self._waiting = Tally.empty(), []
        if self._progress:
            self._progress(self._lines, self._survey.lines)

    def _ledger(self, db: sa.Connection) -> None:
        db.execute(polls.insert().values(source=self._source, at=self._at, **self._tally.columns()))


def _survey(path: Path) -> _Survey:
    lines = 0
    first: datetime | None = None
    ids: Counter[str] = Counter()
    for row in _rows(path, BACKFILL_LANE):
        lines += 1
        if row.article is not None:
            first = first or row.article.published
            ids[row.article.id] += 1
    if not ids:
        raise UsageError(
            f"{path} holds no article: expected one JSON object a line with id, url, title, text, "
            "published, lang, source"
        )
    repeated: dict[str, list[str]] = {id_: [] for id_, count in ids.items() if count > 1}
    for row in _rows(path, BACKFILL_LANE) if repeated else ():
        if row.article is not None and row.article.id in repeated:
            found = identity.content_hash(row.article.title, row.article.text)
            repeated[row.article.id].append(found)
    chains = {id_: _chain(hashes) for id_, hashes in repeated.items()}
    return _Survey(lines, first or UNDATED, chains)


def _chain(hashes: list[str]) -> list[str]:
    """The revision that each row of one article stands for."""
    revisions: list[str] = []
    for n, content in enumerate(hashes):
        if n and content == hashes[n - 1]:
            revisions.append(revisions[-1])
        else:
            revisions.append(identity.revision(revisions[-1] if revisions else None, content))
    return revisions


def _articles(path: Path, first_dated: datetime, lane: int) -> Iterator[_Row]:
    """Rows with their `fetched` time, by the rule for undated ones."""
    current = first_dated
    for row in _rows(path, lane):
        if row.article is not None:
            current = row.article.published or current
            row.article.fetched = current
        yield row


def _rows(path: Path, lane: int) -> Iterator[_Row]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _row(number, line, path.stem, lane)
    except OSError as error:
        raise UsageError(f"cannot read the archive {path}: {error.strerror}") from error


def _row(number: int, line: bytes, archive: str, lane: int) -> _Row:
    try:
        fields = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return _Row(line=number, error="not valid JSON")
    if not isinstance(fields, dict):
        return _Row(line=number, error="not a JSON object")
    for name in ("url", "title", "text", "lang", "source", "published"):
        if not isinstance(fields.get(name), str | None):
            return _Row(line=number, error=f"{name} is no text")
    return _Row(line=number, article=_article(fields, archive, lane))


def _article(fields: dict[str, Any], archive: str, lane: int) -> Article:
    title = " ".join(clean.plain(fields.get("title") or "").split())
    text = clean.plain(fields.get("text") or "")
    url = urls.canonical(fields.get("url"))
    source = clean.plain(fields.get("source") or "")
    given = fields.get("id")
    ref = clean.plain(str(given)) if given is not None else ""
    outlet = (urls.domain(source) if "://" in source else source.lower()) or urls.domain(url)
    if ref:
        article_id = identity.archive_id(archive, ref)
    else:
        content = f"{title}\n{text}"
        article_id = identity.article_id(
            url=url, outlet=outlet or "unknown", guid=None, content=content
        )
    published = dates.read(fields.get("published"))
    return Article(
        id=article_id,
        revision="",
        title=title,
        text=text,
        outlet=outlet or "unknown",
        fetched=published or UNDATED,  # set by the rule for undated articles
        published=published,
        published_from="feed" if published else "none",
        lang=language.code(fields.get("lang")),
        url=url,
        ref=ref or None,
        lane=lane,
    )
