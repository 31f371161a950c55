"""`dateline feeds check`: every item as it would be ingested, or refused and why."""

from __future__ import annotations

import json as json_
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.commands.feeds import words
from dateline.commands.shared import Db, Json, settings

if TYPE_CHECKING:
    from rich.table import Table

    from ingest.subscriptions.checked import Checked

# From here on there is room for what most people do not look for first.
_ROOMY = 130
# Of an item without a title, letters of its text to know it by.
_OPENING = 80


def check(
    targets: Annotated[
        list[str], typer.Argument(metavar="URL-or-FILE…", help='"-" is standard input.')
    ],
    base: Annotated[
        str | None, typer.Option(metavar="URL", help="Where a file was served from.")
    ] = None,
    content_type: Annotated[
        str, typer.Option(help="What a file was served as, with its charset.")
    ] = "",
    content_encoding: Annotated[
        str, typer.Option(help='How a file is packed, such as "gzip"; gzip is seen without.')
    ] = "",
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Documents read at once; default: one a processor."),
    ] = None,
    db: Db = None,
    json: Json = False,
) -> None:
    """Every item as it would be ingested, or refused and why. Stores nothing.

    With --json one object a line for each target, in their order. Exit code 1 when one of them
    is refused as a whole.
    """
    from ingest.subscriptions.check import Served, check_all

    refused = 0

    def tell(found: Checked) -> None:
        nonlocal refused
        refused += found.refusal is not None
        if json:
            # Broken letters, which UTF-8 cannot hold, stay the escapes that JSON has for them.
            line = json_.dumps(found.as_dict(), ensure_ascii=False) + "\n"
            sys.stdout.buffer.write(line.encode("utf-8", errors="backslashreplace"))
            sys.stdout.buffer.flush()
        elif len(targets) > 1:
            words.out().print(words.text(f"{found.target}: {_sentence(found)}"), soft_wrap=True)
        else:
            _show(found)

    check_all(
        targets, settings(db).ingest, tell,
        jobs=min(jobs or os.cpu_count() or 1, len(targets)),
        served=Served(base, content_type, content_encoding),
    )  # fmt: skip
    if refused:
        raise typer.Exit(1)


def _sentence(found: Checked) -> str:
    if found.refusal:
        return f"refused: {found.refusal.sentence}"
    counts = {k: n for k, n in found.counts.items() if n and k != "seen"}
    what = ", ".join(f"{n:,} {fate}" for fate, n in counts.items())
    seen = words.many(found.counts["seen"], "item")
    return f"{found.kind}, {found.encoding}; {seen}{': ' if what else ''}{what}"


def _show(found: Checked) -> None:
    if found.refusal:
        hint = "; `dateline feeds add` looks for its feeds" if found.refusal.kind == "page" else ""
        sentence = words.text(f"dateline: {found.target}: {found.refusal.sentence}{hint}")
        typer.echo(sentence.plain, err=True)
        return
    out = words.out()
    out.print(words.text(found.title or "(no title)", "bold"))
    for line in (_sentence(found), found.link, found.url, *_asks(found)):
        if line:
            out.print(words.text(line, "dim" if line in (found.link, found.url) else ""))
    if found.items:
        out.print(_table(found, out.width >= _ROOMY))
    elif not found.left_out:
        out.print("It holds no items.")
    for left in found.left_out:
        out.print(words.text(f"{left.count:,} more {left.fate}: {left.reason}", "yellow"))


def _table(found: Checked, roomy: bool) -> Table:
    more = ("outlet", "lang", "letters") if roomy else ()
    shown = words.table("#", "fate", "published (UTC)", "item", *more, right=("#", "letters"))
    for i in found.items:
        style = "" if i.fate == "stored" else "dim"
        name = (i.title, style or "bold") if i.title else ((i.text or "")[:_OPENING], "italic")
        item = words.lines(name, (i.url, words.link(i.url)), (i.reason, "yellow"))
        cells = [words.text(i.position + 1), words.text(i.fate, words.STYLES.get(i.fate, ""))]
        cells += [words.text(words.moment(i.published) or "no date"), item]
        if roomy:
            letters = None if i.text is None else f"{len(i.text):,}"
            cells += [words.text(i.outlet), words.text(i.lang), words.text(letters)]
        shown.add_row(*cells)
    return shown


def _asks(found: Checked) -> list[str]:
    """What the feed asks of those who poll it, in words."""
    said = words.hints(found.hints or {})
    if found.ended:
        said.append("says that nothing more will come")
    language = [f"says it is in {found.language}"] if found.language else []
    return ["; ".join([*language, *said])] if language or said else []
