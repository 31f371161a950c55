"""The sample world of `examples/world`: outlets, feeds, articles, and what is true about them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from stream.errors import UsageError


@dataclass(frozen=True)
class Version:
    """One state of an article, shown from `at` on."""

    at: datetime
    title: str
    text: str


@dataclass(frozen=True)
class Piece:
    """One article of the sample world. `about`, `lookalike`, `copy_of` are the truth, which the
    pipeline never sees."""

    key: str
    outlet: str
    url: str
    published: datetime
    undated: bool
    feeds: tuple[str, ...]
    about: tuple[str, ...]
    kind: str
    story: str
    copy_of: str | None
    lookalike: str | None
    versions: tuple[Version, ...]

    def at(self, now: datetime) -> Version | None:
        """What its page says at that time; None = not published yet."""
        shown = [version for version in self.versions if version.at <= now]
        return shown[-1] if shown else None


@dataclass(frozen=True)
class Feed:
    outlet: str
    path: str
    format: str
    title: str
    full: bool


@dataclass(frozen=True)
class World:
    feeds: tuple[Feed, ...]
    pieces: tuple[Piece, ...] = field(repr=False)

    @cached_property
    def starts(self) -> datetime:
        return self.pieces[0].published

    @cached_property
    def ends(self) -> datetime:
        """The last thing that happens in it."""
        return max(version.at for piece in self.pieces for version in piece.versions)

    @cached_property
    def by_url(self) -> dict[str, Piece]:
        return {piece.url: piece for piece in self.pieces}

    def shown(self, feed: Feed, now: datetime, items: int) -> list[tuple[Piece, Version]]:
        """What the feed lists at that time, newest first."""
        listed = []
        for piece in reversed(self.pieces):
            version = piece.at(now)
            if feed.path in piece.feeds and version is not None:
                listed.append((piece, version))
                if len(listed) == items:
                    break
        return listed


def read_world(directory: Path) -> World:
    """Raises UsageError naming the file, when one is missing or broken."""
    feeds = tuple(
        Feed(row["outlet"], row["path"], row["format"], row["title"], row["body"] == "full")
        for row in _load(directory / "feeds.toml").get("feed", [])
    )
    first: dict[str, str] = {}
    for feed in feeds:
        first.setdefault(feed.outlet, feed.path)
    pieces = [
        _piece(row, first)
        for path in sorted(directory.glob("*.toml"))
        for row in _load(path).get("article", [])
    ]
    if not feeds or not pieces:
        raise UsageError(f"{directory} holds no sample world (feeds.toml and article files)")
    return World(feeds, tuple(sorted(pieces, key=lambda piece: (piece.published, piece.key))))


def _piece(row: dict[str, Any], first: dict[str, str]) -> Piece:
    published = row["published"].astimezone(UTC)
    versions = [Version(published, row["title"], row["text"].strip())]
    for edit in sorted(row.get("edit", []), key=lambda edit: edit["at"]):
        before = versions[-1]
        versions.append(
            Version(
                edit["at"].astimezone(UTC),
                edit.get("title", before.title),
                edit.get("text", before.text).strip(),
            )
        )
    outlet = row["outlet"]
    return Piece(
        key=row["key"],
        outlet=outlet,
        url=f"https://{outlet}/{published:%Y/%m/%d}/{row['slug']}",
        published=published,
        undated=row.get("undated", False),
        feeds=(first[outlet], *(p for p in row.get("feeds", ()) if p != first[outlet])),
        about=tuple(row["about"]),
        kind=row["kind"],
        story=row["story"],
        copy_of=row.get("copy_of"),
        lookalike=row.get("lookalike"),
        versions=tuple(versions),
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the sample world: {path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
