"""The JSON API. Times are ISO 8601 in UTC; lists are {items, total, limit, offset}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio.to_thread
import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from dashboard.desk import MAX_OFFSET, desk_of, search_text, whole_number
from dashboard.explain import read_question
from dashboard.pages import answer_fragment
from dashboard.queries import alerts, articles, events, feeds, status, stories
from dashboard.queries.views import Row
from store.connection import reading

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
MOST_REVISIONS = 100


def answer(content: Any, status_code: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status_code, media_type="application/json")


def list_events(request: Request) -> Response:
    with reading(desk_of(request).engine) as connection:
        found = events.events(connection)
    return answer(_listed(found, len(found), limit=len(found), offset=0))


def one_event(request: Request) -> Response:
    event_id = request.path_params["event_id"]
    limit, offset = _paging(request)
    with reading(desk_of(request).engine) as connection:
        found = events.event(connection, event_id)
        if found is None:
            raise HTTPException(404, f"there is no event named {event_id[:80]!r}")
        matched, total = events.coverage(
            connection, event_id, matched=True, limit=limit, offset=offset
        )
        near, _ = events.coverage(connection, event_id, matched=False, limit=limit)
        told = alerts.alerts(connection, event_id=event_id, limit=limit)
    for alert in told:
        evidence = alert.pop("evidence")
        alert["match_id"] = evidence and evidence["match_id"]
    return answer(
        {
            **found,
            "coverage": _listed(_plain(matched), total, limit=limit, offset=offset),
            "near_misses": _plain(near),
            "alerts": told,
        }
    )


def list_stories(request: Request) -> Response:
    limit, offset = _paging(request)
    with reading(desk_of(request).engine) as connection:
        found, total = stories.stories(
            connection, search=search_text(request), limit=limit, offset=offset
        )
    return answer(_listed(found, total, limit=limit, offset=offset))


def one_article(request: Request) -> Response:
    article_id = request.path_params["article_id"]
    with reading(desk_of(request).engine) as connection:
        found = articles.article(connection, article_id)
        if found is None:
            raise HTTPException(404, f"there is no article named {article_id[:80]!r}")
        found["revisions"] = articles.revisions(connection, article_id, MOST_REVISIONS)
        found["decisions"] = _plain(events.decisions_of(connection, [article_id]))
    return answer(found)


def list_feeds(request: Request) -> Response:
    limit, offset = _paging(request)
    with reading(desk_of(request).engine) as connection:
        found, total = feeds.feeds(connection, limit=limit, offset=offset)
    return answer(_listed(found, total, limit=limit, offset=offset))


def show_status(request: Request) -> Response:
    desk = desk_of(request)
    with reading(desk.engine) as connection:
        counts, tag = status.counts(connection), status.change_tag(connection)
    return answer({**counts, "tag": tag, "explain": desk.explaining.state})


def changes(request: Request) -> Response:
    """Has anything changed since the page with this tag was made?"""
    desk = desk_of(request)
    with reading(desk.engine) as connection:
        tag = status.change_tag(connection)
    changed = tag != request.query_params.get("since", "")
    return answer({"tag": tag, "changed": changed, "explain": desk.explaining.state})


async def explain(request: Request) -> Response:
    """Decisions for a text: JSON, or the fragment of the first page for its own script."""
    question = await read_question(request)
    decisions = await desk_of(request).explaining.ask(question)
    if "text/html" in request.headers.get("accept", ""):
        page = await anyio.to_thread.run_sync(answer_fragment, request, decisions)
        return HTMLResponse(page)
    return answer({"decisions": decisions})


def unknown(request: Request) -> Response:
    raise HTTPException(
        404, "no such address: see /api/events, /api/stories, /api/articles/ID, /api/feeds, "
        "/api/status, /api/explain"
    )  # fmt: skip


routes: Sequence[Route] = (
    Route("/api/events", list_events),
    Route("/api/events/{event_id}", one_event),
    Route("/api/stories", list_stories),
    Route("/api/articles/{article_id}", one_article),
    Route("/api/feeds", list_feeds),
    Route("/api/status", show_status),
    Route("/api/changes", changes),
    Route("/api/explain", explain, methods=["POST"]),
    Route("/api/{rest:path}", unknown),
)


def _paging(request: Request) -> tuple[int, int]:
    limit = whole_number(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    return limit, whole_number(request, "offset", 0, 0, MAX_OFFSET)


def _listed(items: list[Row], total: int, *, limit: int, offset: int) -> Row:
    return {"items": items, "total": total, "limit": limit, "offset": offset}


def _plain(matches: list[Row]) -> list[Row]:
    """`reasons` holds the decision already."""
    return [{key: value for key, value in row.items() if key != "decision"} for row in matches]
