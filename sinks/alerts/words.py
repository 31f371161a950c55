"""The sentences of an alert."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sinks.news import Piece, Reason

# A reason that takes longer to read than the headline is not read.
STRONGEST = 3


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th …"""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number % 10, 'th')}"


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def joined(piece: Piece, sources_before: int, sources: int) -> str:
    if sources_before == 0:
        repeats = piece.copy_of is not None or piece.credits is not None
        return f"First report: {_source(piece) if repeats else piece.outlet}"
    if sources > sources_before:
        return f"{ordinal(sources)} independent source: {piece.outlet}"
    if piece.copy_of is not None:
        return f"{piece.outlet} repeats a text already seen"
    if piece.credits is not None:
        return f"{piece.outlet} has it from {piece.credits}"
    return f"Another article from {piece.outlet}"


def new_headline(piece: Piece) -> str:
    return f"{piece.outlet} has changed its headline: “{piece.title}”"


def corrected(piece: Piece, left: int) -> str:
    rest = "nothing is left" if left == 0 else f"{counted(left, 'article')} left"
    return f"Corrected: “{piece.title}” ({piece.outlet}) is no longer about this event, {rest}"


def joined_stories(articles: int, sources: int) -> str:
    return (
        f"Two stories became one: {counted(articles, 'article')} from "
        f"{counted(sources, 'independent source')}"
    )


def looked_back(articles: int, sources: int, version: int) -> str:
    verb = "matches" if articles == 1 else "match"
    return (
        f"{counted(articles, 'earlier article')} from {counted(sources, 'independent source')} "
        f"{verb} version {version} of the event"
    )


def reason(piece: Piece, why: Reason | None) -> dict[str, Any]:
    """The article that speaks, its own sentence, the shared names, what the strongest signals say
    in words."""
    if why is None:
        return {"article": piece.title, "outlet": piece.outlet}
    signals = sorted(why.decision.get("signals", []), key=lambda s: -float(s["contribution"]))
    # That one sentence of the description is close says nothing beside the whole of it.
    whole = any(s["name"] == "meaning" and s["contribution"] > 0 for s in signals)
    strongest = [
        str(s.get("note") or "")
        for s in signals
        if s["contribution"] > 0 and not (whole and s["name"] == "detail")
    ]
    return {
        "article": piece.title,
        "outlet": piece.outlet,
        "sentence": why.decision.get("sentence", ""),
        "shared": list(why.decision.get("shared", [])),
        "signals": [note for note in dict.fromkeys(strongest) if note][:STRONGEST],
    }


def desk_path(event_id: str) -> str:
    return f"/events/{quote(event_id, safe='')}"


def differ(one: str, other: str) -> bool:
    """Is it another headline to a reader (not only other spaces)?"""
    return " ".join(one.split()) != " ".join(other.split())


def _source(piece: Piece) -> str:
    if piece.credits is not None:
        return f"{piece.outlet}, from {piece.credits}"
    return f"{piece.outlet}, repeating another's text"
