"""`dateline feeds add`: an address of a feed, or of a page whose feeds are looked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dateline.commands.feeds import words
from dateline.commands.feeds.access import to_write
from dateline.commands.shared import Db, Json, print_json, settings

if TYPE_CHECKING:
    from ingest.feeds import Added
    from ingest.settings import IngestSettings
    from ingest.subscriptions.discover import Discovery, Found

Urls = Annotated[list[str], typer.Argument(metavar="URL…", help="Feeds, or pages of their sites.")]
Outlet = Annotated[
    str | None, typer.Option(help="Domain of the publisher; default: from the items' links.")
]
FullText = Annotated[
    bool | None,
    typer.Option("--full-text/--no-full-text", help="Read the articles' pages too, or never."),
]
Folder = Annotated[str | None, typer.Option(help='Where to keep it, such as "Asia/Japan".')]


def add(
    urls: Urls,
    all_: Annotated[bool, typer.Option("--all", help="Of several feeds take all.")] = False,
    first: Annotated[bool, typer.Option("--first", help="Of several take the first.")] = False,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Add the addresses as they are, ask nobody.")
    ] = False,
    outlet: Outlet = None,
    folder: Folder = None,
    full_text: FullText = None,
    db: Db = None,
    json: Json = False,
) -> None:
    """Poll feeds from now on. Of a page, its feeds are found, read and shown first."""
    from ingest.feeds import Entry, add_many, address, folder_names
    from ingest.subscriptions.discover import Discovery
    from stream.errors import DatelineError, UsageError

    if all_ and first:
        raise UsageError("--all and --first exclude each other; give one of them")
    config = settings(db)
    addresses = [address(url) for url in urls]  # a mistyped one stops before anything is asked
    watched = not json and sys.stdin.isatty() and sys.stdout.isatty()
    picks: list[tuple[Discovery, list[str]]] = []
    if no_check:
        picks = [(Discovery(target=url), [url]) for url in addresses]
    else:
        for result in _discovered(urls, config.ingest):
            if not json:
                _show(result)
            taken = result.found[: None if all_ or len(result.found) == 1 else int(first)]
            if not taken and result.found and watched:
                taken = _asked(result.found)
            picks.append((result, [found.url for found in taken]))
    found = {found.url: found for result, _ in picks for found in result.found}
    entries = [
        Entry(
            url=url, title=(found[url].title or None) if url in found else None, outlet=outlet,
            folder="/".join(folder_names(folder)) or None, full_text=full_text,
        )
        for _, mine in picks
        for url in mine
    ]  # fmt: skip
    added = None
    if entries:
        with to_write(config) as engine:
            added = add_many(engine, entries, replace=True)
    if json:
        print_json([_plain(result, mine, added) for result, mine in picks])
    elif added:
        _say(added, found)
    if failed := [result for result, _ in picks if result.refusal]:
        said = "; ".join(f"{r.target}: {r.refusal}" for r in failed)
        raise DatelineError(f"{said}; --no-check adds an address all the same")
    unclear = [result for result, mine in picks if not mine]
    if unclear and watched:
        typer.echo("Nothing else was added." if added else "Nothing was added.")
    elif unclear:
        raise UsageError(
            "; ".join(f"{r.target} has {len(r.found)} feeds" for r in unclear)
            + ": name the one to add, or give --first or --all"
        )


def _discovered(targets: list[str], settings: IngestSettings) -> list[Discovery]:
    import asyncio

    from rich.console import Console

    from ingest.subscriptions.discover import discover
    from ingest.subscriptions.probe import Probe

    async def run() -> list[Discovery]:
        async with Probe(settings, settings.parse_workers) as probe:
            return list(await asyncio.gather(*(discover(t, probe) for t in targets)))

    if not sys.stderr.isatty():
        return asyncio.run(run())
    with Console(file=sys.stderr).status("Asking …"):
        return asyncio.run(run())


def _show(result: Discovery) -> None:
    """A page's feeds; an address that is a feed needs no list."""
    if not result.found or result.found[0].how == "itself":
        return
    out = words.out()
    out.print(words.text(f"{result.target}: {words.many(len(result.found), 'feed')}"))
    shown = words.table("", "feed", "items", "newest (UTC)", "language", right=("items",))
    for number, found in enumerate([*result.found, *result.aside], 1):
        dim = "dim" if found.aside else ""
        shown.add_row(
            words.text("" if found.aside else number),
            words.lines((found.title, dim or "bold"), (found.url, dim), (found.aside, "yellow")),
            words.text(found.items, dim),
            words.text(words.moment(found.newest) or "no dates", dim),
            words.text(found.language, dim),
        )
    out.print(shown)
    if result.unasked:
        more = words.many(len(result.unasked), "more address")
        out.print(words.text(f"{more} that may be feeds were not asked, such as:"))
        for url in result.unasked[:5]:
            out.print(words.text(f"  {url}"), soft_wrap=True)


def _asked(found: list[Found]) -> list[Found]:
    while True:
        answer = typer.prompt(
            f"Which of them? 1 to {len(found)} (several with commas), all or none", default="none"
        )
        if answer.strip().lower() in ("none", "n", "all", "a"):
            return found if answer.strip().lower().startswith("a") else []
        numbers = [part.strip() for part in answer.split(",")]
        if all(n.isdecimal() and 1 <= int(n) <= len(found) for n in numbers):
            return [found[int(n) - 1] for n in dict.fromkeys(numbers)]


def _say(added: Added, found: dict[str, Found]) -> None:
    out = words.out()
    for entry in added.new:
        about = f": {_about(found[entry.url])}" if entry.url in found else ""
        out.print(words.text(f"Added {entry.url}{about}."), soft_wrap=True)
    for entry, url in added.known:
        same = "" if entry.url == url else f" as {url}"
        out.print(words.text(f"{entry.url} is polled already{same}."), soft_wrap=True)


def _about(found: Found) -> str:
    newest = f", the newest of {words.moment(found.newest)} UTC" if found.newest else ""
    language = f", in {found.language}" if found.language else ""
    items = words.many(found.items, "item")
    return f"{found.title or 'no title'}; {found.kind}, {items}{newest}{language}"


def _plain(result: Discovery, mine: list[str], added: Added | None) -> dict[str, Any]:
    new = {entry.url for entry in added.new} if added else set()
    return result.as_dict() | {
        "added": [url for url in mine if url in new],
        "known": [url for url in mine if url not in new],
    }
