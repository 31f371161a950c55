"""Labelled streams for measuring: a JSONL file as Embedded records in an order to read them in.

Only title, text, time and language reach the pipeline. Ids are made from the position in the
shuffled order, so neither `id`, `url`, `ref` nor the order of the file can be a signal.
"""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from dateutil import parser as dates
from msgspec import Raw
from numpy.typing import NDArray

from processors.embed.settings import EmbedSettings
from stream.errors import UsageError
from stream.log.contract import LogRecord
from stream.records import EMBEDDED, Article, Embedded, encode

if TYPE_CHECKING:
    from processors.embed.encoder import Encoder

# What an undated archive is taken to be fetched at; any moment would do.
UNDATED = datetime(2020, 1, 1, tzinfo=UTC)
# Ends the name of a stream that was thinned.
THINNED = ":thinned"


class Row(NamedTuple):
    title: str
    text: str
    published: datetime | None
    lang: str | None
    source: str | None
    cluster: str
    by_day: bool  # the time is a day without an hour


class Stream(NamedTuple):
    name: str
    rows: list[Row]
    vectors: NDArray[np.float16]  # a unit row for each
    model: str

    def only(self, lang: str) -> Stream:
        kept = [i for i, row in enumerate(self.rows) if row.lang == lang]
        if not kept:
            raise UsageError(f"{self.name} has no article in the language {lang!r}")
        return Stream(
            f"{self.name}:{lang}", [self.rows[i] for i in kept], self.vectors[kept], self.model
        )

    def shortened(
        self, chars: int, cache: Path | None = None, embed: EmbedSettings | None = None
    ) -> Stream:
        """The same stream with that much text left: what feeds give instead of the article."""
        rows = []
        for row in self.rows:
            body = row.text[len(row.title) :] if row.text.startswith(row.title) else row.text
            rows.append(row._replace(text=body.strip()[:chars].rpartition(" ")[0]))
        vectors, model = _vectors(rows, cache, embed)
        return Stream(f"{self.name}:{chars}", rows, vectors, model)

    def thinned(self, members: int, seed: int) -> Stream:
        """Of each cluster so many articles, drawn; smaller ones are left out."""
        draw = random.Random(seed)
        clusters: dict[str, list[int]] = {}
        for i, row in enumerate(self.rows):
            clusters.setdefault(row.cluster, []).append(i)
        wide = [own for _, own in sorted(clusters.items()) if len(own) >= members]
        kept = sorted(i for own in wide for i in draw.sample(own, members))
        rows = [self.rows[i] for i in kept]
        return Stream(f"{self.name}{THINNED}", rows, self.vectors[kept], self.model)

    @property
    def needs_shuffles(self) -> bool:
        """Whether the order in time leaves anything to chance."""
        return any(row.published is None or row.by_day for row in self.rows)

    def order(self, seed: int) -> list[int]:
        """By time; what has the same time or none in random order."""
        shuffled = list(range(len(self.rows)))
        random.Random(seed).shuffle(shuffled)
        return sorted(shuffled, key=lambda i: self.rows[i].published or UNDATED)

    def records(self, seed: int) -> list[LogRecord]:
        """The stream as the cluster stage reads it."""
        found = []
        # An undated article counts as fetched with the dated one before it, as in a replay.
        fetched = min((row.published for row in self.rows if row.published), default=UNDATED)
        for offset, index in enumerate(self.order(seed)):
            row = self.rows[index]
            fetched = row.published or fetched
            article = Article(
                id=f"a{offset:06d}",
                revision="r1",
                title=row.title,
                text=row.text,
                outlet=row.source or self.name,
                fetched=fetched,
                published=row.published,
                published_from="feed" if row.published else "none",
                lang=row.lang,
            )
            vector = self.vectors[index].astype("<f2").tobytes()
            embedded = Embedded(
                article=Raw(encode(article)), model=self.model, dims=len(vector) // 2, vector=vector
            )
            found.append(
                LogRecord(EMBEDDED, 0, offset, article.id.encode(), encode(embedded), {}, fetched)
            )
        return found


def load(path: Path, cache: Path | None = None, embed: EmbedSettings | None = None) -> Stream:
    """Read a labelled JSONL file; vectors come from the real encoder (default: the packaged model)
    and are cached in `cache` (default: the system's temporary folder). Raises UsageError when the
    file is not one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    try:
        rows = [_row(json.loads(line)) for line in lines if line.strip()]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is not a labelled stream (one JSON object a line with title, text, published, "
            f"lang and cluster): {type(error).__name__} {error}"
        ) from error
    vectors, model = _vectors(rows, cache, embed)
    return Stream(path.stem, rows, vectors, model)


def _row(item: dict[str, str | None]) -> Row:
    published = item.get("published")
    when = dates.isoparse(published) if published else None
    if when is not None and when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    lang = (item.get("lang") or "").split("/")[0] or None
    return Row(
        item.get("title") or "",
        item.get("text") or "",
        when,
        lang,
        item.get("source"),
        str(item["cluster"]),
        bool(published) and len(str(published)) <= 10,
    )


@cache
def _loaded(settings: str) -> Encoder:
    from processors.embed.encoder import Encoder

    return Encoder(EmbedSettings.model_validate_json(settings))


def encoder_of(embed: EmbedSettings | None = None) -> Encoder:
    """The encoder of these settings, loaded once a process."""
    return _loaded((embed or EmbedSettings()).model_dump_json())


def _vectors(
    rows: Sequence[Row], cache: Path | None, embed: EmbedSettings | None
) -> tuple[NDArray[np.float16], str]:
    from processors.embed.encoder import article_text

    folder = cache or Path(tempfile.gettempdir()) / "dateline-bench"
    encoder = encoder_of(embed)
    texts = [article_text(row.title, row.text) for row in rows]
    key = hashlib.blake2b("\0".join([encoder.name, *texts]).encode(), digest_size=12).hexdigest()
    file = folder / f"{key}.npy"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        vectors = encoder.encode_array(texts).astype(np.float16)
        with file.open("wb") as out:
            np.save(out, vectors)
    loaded: NDArray[np.float16] = np.load(file)
    return loaded, encoder.name
