"""What analysts were told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from dateline.commands.shared import (
    NOTED,
    By,
    Db,
    Json,
    LogUrl,
    console,
    print_json,
    print_rows,
    print_table,
    settings,
    shown,
)

app = typer.Typer(no_args_is_help=True)
Alert = Annotated[str, typer.Argument(help="As `dateline alerts list` names it.")]


@app.command("list")
def list_(db: Db = None, json: Json = False) -> None:
    """Alerts, the latest first."""
    from dateline import lookup

    print_rows(
        lookup.alerts(settings(db)),
        {
            "updated": "updated_at",
            "headline, what is new, alert": lambda r: "\n".join(
                filter(None, (r["headline"], r["what_is_new"], r["alert_id"]))
            ),
        },
        "No alerts yet.",
        json=json,
    )


@app.command()
def show(alert: Alert, db: Db = None, json: Json = False) -> None:
    """One alert with its articles and deliveries."""
    from dateline import lookup

    found = lookup.alert(settings(db), alert)
    if json:
        print_json(found)
        return
    console().print(
        f"[b]{escape(found['headline'])}[/b]\n{escape(found['what_is_new'] or '')}\n"
        f"{escape(found['event_id'])}, {found['state']}, {found['articles']} articles from "
        f"{found['independent_sources']} independent sources, updated {shown(found['updated_at'])}"
    )
    print_table(
        ("article", "published", "outlet, title, address"),
        [
            (a["article_id"], a["published"], f"{a['outlet']}\n{a['title']}\n{a['url'] or ''}")
            for a in found["covered"]
        ],
        "It covers no articles.",
    )
    print_table(
        ("channel", "message", "state", "at", "attempts", "last error"),
        [
            (d["channel"], d["sequence"], d["state"], d["at"], d["attempts"], d["last_error"])
            for d in found["deliveries"]
        ],
        "It was delivered nowhere.",
    )


@app.command()
def ack(alert: Alert, by: By = None, db: Db = None, log: LogUrl = None) -> None:
    """Take note of an alert; it stays listed as acknowledged."""
    from dateline import answers, lookup
    from stream.records import AlertAck

    config = settings(db, log)
    lookup.alert(config, alert)  # says so when there is none
    answers.give(config, AlertAck(alert_id=alert, at=datetime.now(UTC), by=by))
    console().print(NOTED)


@app.command()
def notices(db: Db = None, json: Json = False) -> None:
    """What operators were told: feeds in trouble and over it, the newest first."""
    from dateline import lookup

    print_rows(
        lookup.rows(settings(db), "SELECT * FROM v_notices ORDER BY told_at DESC, kind, subject"),
        {
            "told": "told_at",
            "kind": "kind",
            "subject": "subject",
            "over": "resolved_at",
            "sentence": "sentence",
        },
        "Nothing to tell: no feed is in trouble.",
        json=json,
    )
