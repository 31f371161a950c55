"""The desk as an ASGI application: routes, templates, and errors in words."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

import jinja2
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dashboard import api, charts, pages, words
from dashboard.desk import Desk, render
from dashboard.explain import Explainer, Explaining
from dashboard.guard import HEADERS, Guard
from dashboard.settings import DashboardSettings
from processors.match.words import needed

_HERE = Path(__file__).parent
_say = structlog.get_logger("dateline.desk")


def create_app(
    engine: sa.Engine,
    explainer: Explainer | None = None,
    settings: DashboardSettings | None = None,
) -> Starlette:
    """The desk over the database of `engine`, which it only reads.

    `explainer(title, text, published)` gives a Decision for every active event; it may load its
    model at the first call and is called from one thread at a time. None = explaining is off.
    """
    settings = settings or DashboardSettings()
    app = Starlette(
        routes=[
            Route("/", pages.first),
            Route("/events/{event_id}.atom", pages.atom),
            Route("/events/{event_id}", pages.event),
            Route("/stories", pages.story_list),
            Route("/stories/{story_id}", pages.story),
            Route("/articles/{article_id}", pages.article),
            Route("/feeds", pages.feed_list),
            Route("/explain", pages.explain, methods=["GET", "POST"]),
            *api.routes,
            Mount("/static", StaticFiles(directory=_HERE / "static"), name="static"),
        ],
        middleware=[Middleware(Guard, allowed_hosts=settings.allowed_hosts)],
        exception_handlers={
            HTTPException: _refused,
            DBAPIError: _database_away,
            Exception: _broken,
        },
    )
    explaining = Explaining(explainer, settings.explain_deadline_s)
    app.state.desk = Desk(engine, settings, explaining, _templates())
    return app


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "percent": words.percent,
        "number": words.number,
        "plural": words.plural,
        "day": words.day,
        "moment": words.moment,
        "ago": words.ago,
        "link": words.outside_link,
        "why": words.why,
        "marked": words.marked,
        "signal_name": words.signal_name,
        "signed": words.signed,
        "pushes": charts.pushes,
        "needed": needed,
    }
    environment.filters.update(filters)
    environment.globals.update(window=words.window, span=words.span)
    return environment


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = error.detail
    if sentence == HTTPStatus.NOT_FOUND.phrase:  # of an address that is none of the routes
        sentence = f"There is no page {request.url.path[:80]}; the pages of the desk are above."
    return _told(request, error.status_code, sentence)


async def _database_away(request: Request, error: Exception) -> Response:
    _say.error("database", error=str(getattr(error, "orig", error)))
    return _told(
        request,
        503,
        "The database does not answer as expected: see whether it runs, and bring it up to date "
        "with `dateline db upgrade`.",
    )


async def _broken(request: Request, error: Exception) -> Response:
    sentence = f"Something broke here ({type(error).__name__}); the log of the desk says where."
    response = _told(request, 500, sentence)
    # This answer is made outside the middleware that sets the headers on all others.
    response.headers.update(HEADERS)
    return response


def _told(request: Request, status: int, sentence: str) -> Response:
    if request.url.path.startswith("/api/"):
        return api.answer({"error": sentence}, status)
    titles = {404: "Not here", 421: "Unknown name", 500: "Something broke", 503: "Not now"}
    title = titles.get(status, "That did not work")
    page = render(request, "error.html", title=title, sentence=sentence, status=status, live=False)
    return HTMLResponse(page, status)
