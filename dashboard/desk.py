"""What every page needs: the engine, the settings, the explainer and the templates."""

from __future__ import annotations

from typing import Any, NamedTuple

import jinja2
import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.requests import Request

from dashboard import words
from dashboard.explain import Explaining
from dashboard.settings import DashboardSettings

# Beyond this an offset makes the database count through more rows than anyone pages through.
MAX_OFFSET = 100_000
MAX_SEARCH = 200


class Desk(NamedTuple):
    engine: sa.Engine
    settings: DashboardSettings
    explaining: Explaining
    templates: jinja2.Environment


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def render(request: Request, template: str, *, live: bool = True, **context: Any) -> str:
    """The page as HTML. `live` pages follow the database while they are open."""
    desk = desk_of(request)
    theme = request.query_params.get("theme", "")
    return desk.templates.get_template(template).render(
        path=request.url.path,
        theme=theme if theme in ("light", "dark") else "",
        refresh_ms=int(desk.settings.refresh_s * 1000) if live else 0,
        explain_state=desk.explaining.state,
        now=words.now(),
        **context,
    )


def whole_number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A number from the query string; HTTPException 400 when it is none or out of bounds."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and least <= int(text[:12]) <= most):
        raise HTTPException(400, f"{name} must be a whole number from {least} to {most:,}.")
    return int(text)


def search_text(request: Request) -> str:
    """The `q` of the query string, without the NUL that PostgreSQL refuses."""
    return request.query_params.get("q", "").replace("\0", "").strip()[:MAX_SEARCH]
