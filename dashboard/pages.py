"""The pages. Each handler asks its questions over one connection and renders one template."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio.to_thread
import msgspec
import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dashboard import charts, diff
from dashboard.desk import MAX_OFFSET, desk_of, render, search_text, whole_number
from dashboard.explain import Question, read_question
from dashboard.queries import alerts, articles, events, feeds, status, stories
from dashboard.queries.views import Row
from processors.cluster import why
from store.connection import reading
from stream.records import Considered, Decision

# What fits on a laptop without hiding the next event.
NEWEST_ALERTS, EVENT_ALERTS, EVENT_COVERAGE, NEWEST_STORIES, FIRST_FEEDS = 4, 2, 4, 10, 12
PAGE = 50
CLOSE_CALLS = 3
# Matches are stored from .05 on; below that only a best rival is kept, which was not close.
CLOSE = 0.05
# A story or a list of near-misses longer than this is read through the API.
MOST_MEMBERS, MOST_NEAR_MISSES, MOST_REVISIONS = 500, 50, 20


def first(request: Request) -> Response:
    with reading(desk_of(request).engine) as connection:
        context = _first(connection)
    return HTMLResponse(render(request, "first.html", **context, question=Question(), answer=None))


def _first(connection: sa.Connection) -> dict[str, Any]:
    registered = events.events(connection)
    days = events.days(connection)
    newest, told = (
        events.latest_coverage(connection, EVENT_COVERAGE),
        alerts.latest(connection, EVENT_ALERTS),
    )
    for row in registered:
        event_id = row["event_id"]
        row["timeline"] = charts.timeline(days.get(event_id, []), row["starts"], row["ends"])
        row["coverage"], row["alerts"] = newest.get(event_id, []), told.get(event_id, [])
        row["chain"] = charts.chain(registered, event_id)
    shown_feeds, _ = feeds.feeds(connection, limit=FIRST_FEEDS)
    return {
        "tag": status.change_tag(connection),
        "counts": status.counts(connection),
        "events": registered,
        "titles": {row["event_id"]: row["title"] for row in registered},
        "close_calls": events.close_calls(connection, CLOSE, CLOSE_CALLS),
        "newest_alerts": alerts.alerts(connection, limit=NEWEST_ALERTS),
        "stories": stories.newest(connection, NEWEST_STORIES),
        "feeds": shown_feeds,
    }


def event(request: Request) -> Response:
    event_id = request.path_params["event_id"]
    offset = whole_number(request, "offset", 0, 0, MAX_OFFSET)
    desk = desk_of(request)
    with reading(desk.engine) as connection:
        found = events.event(connection, event_id)
        if found is None:
            raise _no("event", event_id, "`dateline events list` names those registered")
        registered = events.events(connection)
        matched, total = events.coverage(
            connection, event_id, matched=True, limit=PAGE, offset=offset
        )
        near, near_total = events.coverage(
            connection, event_id, matched=False, limit=MOST_NEAR_MISSES
        )
        days = events.days(connection).get(event_id, [])
        page = render(
            request,
            "event.html",
            tag=status.change_tag(connection),
            event=found,
            titles={row["event_id"]: row["title"] for row in registered},
            timeline=charts.timeline(days, found["starts"], found["ends"]),
            chain=charts.chain(registered, event_id),
            alerts=alerts.alerts(connection, event_id=event_id, limit=PAGE),
            matched=matched,
            total=total,
            offset=offset,
            page_size=PAGE,
            near=near,
            near_total=near_total,
            has_atom=_atom_file(request, event_id) is not None,
        )
    return HTMLResponse(page)


def atom(request: Request) -> Response:
    event_id = request.path_params["event_id"]
    body = _atom_file(request, event_id)
    if body is None:
        raise HTTPException(
            404, f"There is no Atom feed for {event_id} yet: delivery writes it with the first "
            "alert."
        )  # fmt: skip
    return Response(body, media_type="application/atom+xml")


def _atom_file(request: Request, event_id: str) -> bytes | None:
    folder = desk_of(request).settings.atom_dir
    if folder is None:
        return None
    path = folder / f"{event_id}.atom"
    try:
        # The id comes from the address: it must name a file of this folder, not a way out of it.
        return path.read_bytes() if path.resolve().parent == folder.resolve() else None
    except (OSError, ValueError):
        return None


def story_list(request: Request) -> Response:
    search, offset = search_text(request), whole_number(request, "offset", 0, 0, MAX_OFFSET)
    with reading(desk_of(request).engine) as connection:
        found, total = stories.stories(connection, search=search, limit=PAGE, offset=offset)
        tag = status.change_tag(connection)
    page = render(
        request,
        "stories.html",
        tag=tag,
        stories=found,
        total=total,
        search=search,
        offset=offset,
        page_size=PAGE,
    )
    return HTMLResponse(page)


def story(request: Request) -> Response:
    story_id = request.path_params["story_id"]
    with reading(desk_of(request).engine) as connection:
        found = stories.story(connection, story_id)
        if found is None:
            raise _no("story", story_id, "the list of stories may have what you look for")
        page = render(
            request,
            "story.html",
            tag=status.change_tag(connection),
            story=found,
            members=stories.members(connection, story_id, MOST_MEMBERS),
            most=MOST_MEMBERS,
            matched=stories.events_of(connection, story_id),
            chain=stories.chain(connection, found),
        )
    return HTMLResponse(page)


def _placing(connection: sa.Connection, article: Row) -> list[str]:
    """Why the article is in its story and not in the next best one."""
    tried = msgspec.convert(article["considered"] or [], list[Considered])
    first, now = article["first_story_id"], article["story_id"]
    labels = stories.labels(connection, [first, *(one.story for one in tried)])
    return why.lines(first, article["copy_of"], tried, labels, now)


def article(request: Request) -> Response:
    article_id = request.path_params["article_id"]
    with reading(desk_of(request).engine) as connection:
        found = articles.article(connection, article_id)
        if found is None:
            raise _no("article", article_id, "it may have been pruned")
        versions = articles.revisions(connection, article_id, MOST_REVISIONS)
        original = found["copy_of"] and articles.headline(connection, found["copy_of"])
        page = render(
            request,
            "article.html",
            tag=status.change_tag(connection),
            article=found,
            edits=edits(versions),
            copies=articles.copies(connection, article_id, PAGE),
            original=original,
            story=stories.story(connection, found["story_id"]),
            placing=_placing(connection, found),
            decisions=events.decisions_of(connection, [article_id]),
            titles=events.titles(connection),
        )
    return HTMLResponse(page)


def edits(versions: list[Row]) -> list[Row]:
    """Each revision after the first with what it changed, newest first."""
    found = [
        {
            "number": after["number"],
            "fetched": after["fetched"],
            "diff": after["diff"],
            "title": diff.words(before["title"], after["title"]),
            "text": diff.words(before["text"], after["text"]),
        }
        for before, after in pairwise(versions)
    ]
    return found[::-1]


def feed_list(request: Request) -> Response:
    offset = whole_number(request, "offset", 0, 0, MAX_OFFSET)
    with reading(desk_of(request).engine) as connection:
        found, total = feeds.feeds(connection, limit=PAGE, offset=offset)
        page = render(
            request,
            "feeds.html",
            tag=status.change_tag(connection),
            feeds=found,
            total=total,
            offset=offset,
            page_size=PAGE,
            reasons=status.fate_reasons(connection),
        )
    return HTMLResponse(page)


async def explain(request: Request) -> Response:
    """The first page with an answer in its box: what a browser without JavaScript gets."""
    question, answer = Question(), None
    if request.method == "POST":
        question = await read_question(request)
        answer = await desk_of(request).explaining.ask(question)

    def page() -> str:
        with reading(desk_of(request).engine) as connection:
            context = _first(connection)
        return render(
            request, "first.html", **context, question=question, answer=answer, live=False
        )

    return HTMLResponse(await anyio.to_thread.run_sync(page))


def answer_fragment(request: Request, decisions: list[Decision]) -> str:
    """The answer alone, for the script on the first page."""
    with reading(desk_of(request).engine) as connection:
        titles = events.titles(connection)
    return render(request, "_answer.html", answer=decisions, titles=titles)


def _no(what: str, name: str, hint: str) -> HTTPException:
    return HTTPException(404, f"There is no {what} named “{name[:80]}” here; {hint}.")
