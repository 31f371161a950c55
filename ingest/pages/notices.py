"""Pages that are not the article: walls of consent, of payment, of suspicion, and missing ones.

A notice costs little when it is taken for one wrongly (the feed's text stays) and much when it is
not (the notice becomes the article's text, the same for every article of that publisher). So the
rules lean to refusing, except that a page which gives the whole text is never refused for what it
says about subscriptions beside it: metered sites do.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

from msgspec import Struct

from ingest.articles import urls
from ingest.pages import words
from ingest.pages.page import Unread

# Letters. Teasers before a wall are one to three paragraphs; where a page speaks of subscribing and
# shows no more than this, the rest is behind it.
TEASER = 1_500
# What remains of a page of suspicion or a missing one when the navigation is gone.
_NOTICE = 1_500
# An article's page speaks of what its feed announced: of the long words of headline and summary,
# publishers' own pages repeat nearly all, a notice in the same language less than one in ten.
_ABOUT = 0.25
# Words under four letters stand on any page of the language; scripts without blanks count by pairs.
_LONG_WORD = re.compile(
    r"[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{4,}"
    r"|(?=([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}))"
)

# What a Chinese, Japanese or Korean letter says beyond one of an alphabet, in letters.
_DENSE, _DENSE_LETTER = 1.5, re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

_CONSENT_HOST = re.compile(
    r"^(?:consent|myprivacy|privacy-gate|cmp|choices|cookie-?consent|guce)\.|\.privacy-mgmt\.com$"
)
_CONSENT_PATH = re.compile(
    r"/(?:cookie-?wall|cookie-?consent|collectconsent|privacy-?(?:gate|wall|consent)"
    r"|consent(?:-wall|-gate)?)(?:[/.]|$)"
)
_LOGIN_PATH = re.compile(
    r"/(?:log-?in|sign-?in|sso|oauth2?|authori[sz]e|register|subscribe|subscriptions?|anmelden"
    r"|connexion|abonnement|offers?)(?:[/.]|$)"
)
_SENTENCE = re.compile(r"(?<=[.!?。！？…])\s+|\n+|(?<=[。！？])")


class Facts(Struct, kw_only=True):
    """What the rules look at."""

    asked: str  # the URL asked for
    url: str  # the URL that answered
    about: str  # headline and text of the feed's item
    title: str  # of the page
    text: str  # the article's text as extracted; "" = none found
    around: str  # what the page shows outside lists, links and sidebars
    markup: str  # lower case
    free: bool | None = None  # schema.org isAccessibleForFree; None = not said
    locked_part: bool = False  # schema.org: a part of the page is named that is not free


def notice(f: Facts) -> Unread | None:
    """Why this page is not the article that its feed announced; None = it is."""
    return elsewhere(f.asked, f.url) or _suspicion(f) or _wall(f) or _cookies(f) or _strange(f)


def elsewhere(asked_url: str, came_url: str) -> Unread | None:
    """Why a redirect from one to the other leads to no article, as far as the addresses say."""
    asked, came = urlsplit(asked_url), urlsplit(came_url)
    host, path, before = (came.hostname or "").lower(), came.path.lower(), asked.path.lower()
    if (host != asked.hostname and _CONSENT_HOST.search(host)) or (
        _CONSENT_PATH.search(path) and not _CONSENT_PATH.search(before)
    ):
        return Unread(kind="consent", clause="is behind a consent site")
    if _LOGIN_PATH.search(path) and not _LOGIN_PATH.search(before):
        return Unread(kind="paywall", clause="wants a login or subscription")
    if urls.identity_key(came_url) is None and urls.identity_key(asked_url):
        return Unread(kind="missing", clause="leads to the publisher's home page")
    return None


def _suspicion(f: Facts) -> Unread | None:
    if len(f.text) > _NOTICE:
        return None
    shown = f"{f.title}\n{f.around[:_NOTICE]}\n{f.text}".lower()
    if _speaks_of(f.about, f.text) >= _ABOUT:  # a short article, whatever scripts it carries
        return None
    if words.SUSPICION.search(shown) or words.SUSPICION_MARKUP.search(f.markup):
        return Unread(kind="challenge", clause="asks for proof of being human, or refuses us")
    if words.REGION.search(shown):
        return Unread(kind="region", clause="is not shown in this part of the world")
    if words.MISSING.search(f.title.lower()) or words.MISSING.search(shown[:400]):
        return Unread(kind="missing", clause="is not there")
    return None


def _wall(f: Facts) -> Unread | None:
    behind = Unread(kind="paywall", clause="is behind a paywall")
    short = _length(f.text) <= TEASER
    if f.locked_part or (f.free is False and short):
        return behind
    if f.free or not words.WALL.search(f.around.lower()):
        return None
    # A long text counts as whole, unless it breaks off where the wall begins.
    if short or f.text.rstrip().endswith(("…", "...")):
        return behind
    return behind if words.WALL.search(f.text[-200:].lower()) and f.free is False else None


def _cookies(f: Facts) -> Unread | None:
    sentences = [s for s in _SENTENCE.split(f.text.lower()) if s.strip()]
    if len(f.text) > 2 * TEASER or not sentences:
        return None
    speaking = sum(1 for s in sentences if words.COOKIES.search(s))
    if speaking * 2 >= len(sentences) and _speaks_of(f.about, f.text) < 2 * _ABOUT:
        return Unread(kind="cookies", clause="shows its cookie notice instead of the article")
    return None


def _strange(f: Facts) -> Unread | None:
    if not f.text:
        return Unread(kind="empty", clause="holds no article that can be told from the rest")
    if _speaks_of(f.about, f"{f.title}\n{f.text}") < _ABOUT:
        return Unread(kind="other", clause="speaks of something else than its feed's item")
    return None


def _length(text: str) -> float:
    """Letters, as if all were Latin."""
    return len(text) + _DENSE * sum(1 for _ in _DENSE_LETTER.finditer(text))


def _speaks_of(about: str, text: str) -> float:
    """The share of the long words of `about` that stand in `text`; 1 when there are none."""
    wanted, there = _long_words(about), _long_words(text)
    return len(wanted & there) / len(wanted) if wanted else 1.0


def _long_words(text: str) -> set[str]:
    return {
        m[1] or m[0] for m in _LONG_WORD.finditer(unicodedata.normalize("NFKC", text).casefold())
    }
