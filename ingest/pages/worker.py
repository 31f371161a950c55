"""The process that reads pages and robots.txt: started as `python -m ingest.pages.worker`.

A robots.txt is read here too: matching one with 15,000 groups of 15,000 rules takes minutes.
"""

from __future__ import annotations

import logging
from typing import cast

from msgspec import Struct

from ingest.documents.worker import Job, serve
from ingest.pages.page import Page, Unread


class PageJob(Job, array_like=True, kw_only=True, tag="page"):
    body: bytes
    content_type: str
    url: str
    asked: str
    about: str


class RobotsJob(Job, array_like=True, kw_only=True, tag="robots"):
    body: bytes
    agent: str
    url: str


class Answer(Struct, array_like=True):
    page: Page | None = None
    unread: Unread | None = None
    allowed: bool = False
    crawl_delay: float | None = None  # seconds


def answer(job: PageJob | RobotsJob) -> Answer:
    try:
        return _robots(job) if isinstance(job, RobotsJob) else _page(job)
    except MemoryError:
        raise SystemExit(
            1
        ) from None  # what it has taken is not given back: the next one starts new
    except Exception as error:
        clause = f"breaks the reader ({type(error).__name__})"
        return Answer(unread=Unread(kind="crash", clause=clause))


def _page(job: PageJob) -> Answer:
    from ingest.pages.extract import read

    found = read(job.body, job.content_type, job.url, job.asked, job.about)
    return Answer(page=found) if isinstance(found, Page) else Answer(unread=found)


def _robots(job: RobotsJob) -> Answer:
    from protego import Protego

    rules = Protego.parse(job.body.decode("utf-8", errors="replace").lstrip("\ufeff"))
    return Answer(
        allowed=rules.can_fetch(job.url, job.agent), crawl_delay=rules.crawl_delay(job.agent)
    )


if __name__ == "__main__":
    import protego  # noqa: F401  (loaded before the first deadline starts to run)

    import ingest.pages.extract  # noqa: F401

    logging.disable(logging.CRITICAL)  # what the extractor thinks of a page is no news
    serve(cast("type[PageJob | RobotsJob]", PageJob | RobotsJob), answer)
