"""What analysts were told."""

from __future__ import annotations

import typer
from rich.markup import escape

from dateline.commands.shared import (
    Db,
    Json,
    LogUrl,
    console,
    print_json,
    print_rows,
    print_table,
    settings,
)

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(db: Db = None, json: Json = False) -> None:
    """Alerts, the latest first."""
    from dateline import lookup

    print_rows(
        lookup.alerts(settings(db)),
        {
            "alert": "alert_id",
            "updated": "updated_at",
            "articles": "articles",
            "independent": "independent_sources",
            "headline": "headline",
            "what is new": "what_is_new",
        },
        "No alerts yet.",
        json=json,
    )


@app.command()
def show(alert: str, db: Db = None, json: Json = False) -> None:
    """One alert with its articles and deliveries."""
    from dateline import lookup

    found = lookup.alert(settings(db), alert)
    if json:
        print_json(found)
        return
    console().print(f"[b]{escape(found['headline'])}[/b]\n{escape(found['what_is_new'])}")
    print_table(
        ("published", "outlet", "title", "url"),
        [(a["published"], a["outlet"], a["title"], a["url"]) for a in found["covered"]],
        "It covers no articles.",
    )
    print_table(
        ("channel", "state", "attempts", "last error"),
        [(d["channel"], d["state"], d["attempts"], d["last_error"]) for d in found["deliveries"]],
        "It was delivered nowhere.",
    )


@app.command()
def ack(alert: str, by: str = "", db: Db = None, log: LogUrl = None) -> None:
    """Take note of an alert; it stays listed as acknowledged."""
    from datetime import UTC, datetime

    from dateline import app as program
    from dateline import lookup
    from stream import records

    config = settings(db, log)
    lookup.alert(config, alert)  # says so when there is none
    opened = program.open_log(config)
    producer = opened.producer()
    answer = records.AlertAck(alert_id=alert, at=datetime.now(UTC), by=by or None)
    producer.send(records.VERDICTS, records.encode(answer), key=alert.encode(), partition=0)
    producer.close()
    opened.close()
    console().print("Noted; the database follows while the pipeline runs.")


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
