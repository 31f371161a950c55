"""URLs of articles: made canonical for storing, folded for telling articles apart.

What is stored changes as little as it can: a reader must get the page that the publisher linked.
What only compares (`identity_key`) folds whatever two addresses of one article may differ in.
What was measured on real feeds is in docs/ingest.md.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from ingest.articles import tracking

# Longer ones are not addresses of articles; browsers stop at about this length too.
MAX_LENGTH = 2000

_ESCAPED = re.compile(r"&(?:amp;)+")
_DOTS = re.compile(r"/\.\.?(?:/|$)")
# Fragments that a page's script reads as its address.
_ADDRESS = re.compile(r"[!/]")

_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?|(?=.*:)[0-9a-f:.]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MIRROR = re.compile(r"^(?:(?:www\d?|m|mobile|amp|touch|wap|rss|feeds?)\.)+(?=[^.]+\.)")
_MIDDLE_MOBILE = re.compile(r"(?<=\.)(?:m|amp)\.(?=[^.]+\.)")  # en.m.wikipedia.org
# Most addresses: no query, fragment, port, escape or step up, and no host that only leads on.
_PLAIN = re.compile(r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9/_.,~-]*")
_NOT_SO_PLAIN = re.compile(r"/\.|google\.|\bbing\.com|facebook\.com|ampproject\.org")
# Controls, and the blanks around them: the address was broken over lines.
_BREAK = re.compile(r"\s*[\x00-\x1f\x7f\u200b\u2028\u2029]+\s*")

# -- what only the comparison folds ----------------------------------------------------------------
_AMP_TAIL = re.compile(r"(?:/amp|\.amp)(?=/?$)|(?<=\.)amp\.(?=html?$)|-amp(?=\.html?$)", re.I)
_AMP_HEAD = re.compile(r"^/amp(?=/[^/]+)", re.IGNORECASE)
_AMP_PARAMETER = re.compile(
    r"_?amp(?:=(?:1|true|yes)?)?|(?:output(?:type)?|view)=amp|nonamp=\w+", re.I
)
_INDEX = re.compile(r"/index\.(?:html?|php|aspx?|jsp)$", re.IGNORECASE)
# "emc=rss", "maca=chi-rss-all", "tag=as.rss": the feed through which the reader came.
_FROM_FEED = re.compile(r"[^=]+=(?:[\w ]+[-_. ])*rss(?:[-_. ][\w. ]*)*", re.IGNORECASE)
_FEED_NAMES = re.compile(r"(?:emc|maca|eref|iid)=.*", re.IGNORECASE)
# The publisher's number with its headline behind it, which changes with the headline:
# /news/451824/covid-19-update. Shorter numbers are pages and years.
_SLUG = re.compile(r"(?<=/)(?P<number>\d{5,})/[^/]*[^\W\d_][^/]*$")
_MIN_NUMBER = 5
_WORDS, _NUMBER = re.compile(r"[0-9A-Za-z]+"), re.compile(r"\d")
_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-3]\d)?")
# What the last step of an article's path has and a section's has not: a number, or a headline.
_NAMES_ONE = re.compile(r"\d|[^-_]+(?:[-_][^-_]+){2}")
# The same addresses are asked about several times while a document is worked on, and a poller asks
# for the domains of its feeds with every poll. At 100 letters each a MB.
_REMEMBERED = 8192
# Names under these belong to whoever asks for one.
_SHARED_DOMAINS = re.compile(
    r"(?:wordpress|blogspot|blogger|substack|medium|tumblr|wixsite|weebly|typepad|livejournal"
    r"|over-blog|hatenablog)\.com|git(?:hub|lab)\.io|ghost\.io|netlify\.app|vercel\.app"
    r"|pages\.dev|web\.app|cloudfront\.net|amazonaws\.com"
)
_SHARED_SUFFIX = re.compile(r"com?|org|net|gov|ac|edu|or|ne|go|gob|asn")


def canonical(url: str | None, base: str | None = None) -> str | None:
    """The http(s) address to store: without tracking, session and user, scheme and host in lower
    case, taken out of AMP caches and search engines' redirects; otherwise as it was given. None
    for anything but a plausible address."""
    if not url:
        return None
    if _PLAIN.fullmatch(url) and len(url) <= MAX_LENGTH and not _NOT_SO_PLAIN.search(url):
        return url  # nothing below would change it
    url = _clean(url)
    if len(url) > MAX_LENGTH or (base is None and ":" not in url):
        return None
    try:
        parts = urlsplit(_clean(urljoin(base, url)) if base else url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:  # UnicodeError is one
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host):
        return None
    inside = tracking.target(host, parts.path, parts.query)
    if inside is not None and (found := canonical(inside)) is not None:
        return found
    if ":" in host:
        host = f"[{host}]"
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        host = f"{host}:{port}"
    path = tracking.without_session(parts.path) or "/"
    if _DOTS.search(path) and not path.startswith("//"):
        path = urljoin("http://x/", path).removeprefix("http://x")
    query = "&".join(p for p in parts.query.split("&") if p and not tracking.tracks(p))
    fragment = tracking.without_tracking(parts.fragment)
    return urlunsplit((scheme, host, path, query, fragment))


def _clean(url: str) -> str:
    """As a browser reads it, and once: some publishers escape twice."""
    return _ESCAPED.sub("&", _BREAK.sub("", url.strip())).replace(" ", "%20")


@lru_cache(maxsize=_REMEMBERED)
def identity_key(url: str | None) -> str | None:
    """What the addresses of one article have in common: no scheme, no www, mobile or AMP form, no
    headline behind the publisher's number, parameters in order, escapes in one form. None for a
    home page, which names no article."""
    canon = canonical(url)
    if canon is None:
        return None
    parts = urlsplit(canon)
    path = _folded_path(parts.path)
    query = "&".join(
        sorted(
            _escapes(p)
            for p in parts.query.split("&")
            if p
            and not (
                _AMP_PARAMETER.fullmatch(p) or _FROM_FEED.fullmatch(p) or _FEED_NAMES.fullmatch(p)
            )
        )
    )
    if not query and (slug := _headline(path)):
        path = path[: slug.end("number")]
    key = _host(parts.netloc) + path + (query and f"?{query}")
    if _ADDRESS.match(parts.fragment):
        key += f"#{parts.fragment}"
    return key if path or query or "#" in key else None


def _headline(path: str) -> re.Match[str] | None:
    slug = _SLUG.search(path)
    return slug if slug and not _DAY.fullmatch(slug["number"]) else None


def _folded_path(path: str) -> str:
    steps: list[str] = []
    for step in _escapes(path).split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    path = "".join(f"/{step}" for step in steps)
    return _AMP_HEAD.sub("", _AMP_TAIL.sub("", _INDEX.sub("", path)))


def _escapes(text: str) -> str:
    """One spelling of each letter: 美 and %e7%be%8e, %7E and ~. What is not UTF-8 stays."""
    try:
        return quote(unquote(text, errors="strict"), safe="/=!$'()*,:;@~")
    except UnicodeDecodeError:
        return quote(text, safe="/=!$'()*,:;@~%")


def accepts_canonical(page_url: str, canonical_url: str) -> str | None:
    """The address that an article's page names as its own (rel=canonical), ready to store, when it
    can be believed: on a host of the same publisher, and neither the home page nor a section, to
    which templates and login walls point. None: keep the page's own address."""
    found = canonical(canonical_url, page_url)
    page, named = identity_key(page_url), identity_key(found)
    if page is None or named is None or found is None:
        return None
    if page == named:
        return found
    if _publisher(page_url) != _publisher(found):
        return None
    here, there = urlsplit(f"//{page}"), urlsplit(f"//{named}")
    if f"{here.path}/".startswith(f"{there.path}/"):
        # The section that it stands in; or the page itself without a parameter that is not known
        # to track: believed only where the path alone names an article.
        same = here.path == there.path
        return found if same and _NAMES_ONE.search(_last(there.path)) else None
    if there.query or _NAMES_ONE.search(_last(there.path)):
        return found
    if _NAMES_ONE.search(_last(here.path)) or there.path.count("/") < 2:
        return None
    return found


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _publisher(url: str) -> str:
    """The domain that was registered: its last two labels, three under .co.uk, .github.io and
    the like."""
    labels = (domain(url) or "").split(".")
    shared = _SHARED_DOMAINS.fullmatch(".".join(labels[-2:])) or (
        len(labels[-1]) == 2 and len(labels) > 2 and _SHARED_SUFFIX.fullmatch(labels[-2])
    )
    return ".".join(labels[-3:] if shared else labels[-2:])


def carries(url: str | None, guid: str | None) -> bool:
    """Does the address hold the publisher's number for the article, as its guid ends with it?
    (guid "www.news.example/126411811", address /national/126411811/headline)"""
    number = _WORDS.findall(guid or "")[-1:]
    if not url or not number or len(number[0]) < _MIN_NUMBER or not _NUMBER.search(number[0]):
        return False
    return not _DAY.fullmatch(number[0]) and number[0] in _WORDS.findall(urlsplit(url).path)


def numbered(url: str | None, guid: str | None) -> bool:
    """Does the publisher's number for the article stand in its address, whatever else changes?"""
    if _headline(urlsplit(canonical(url) or "").path):
        return True
    return carries(url, guid) and identity_key(guid) != identity_key(url)


@lru_cache(maxsize=_REMEMBERED)
def domain(url: str | None) -> str | None:
    """The publisher's host without its www or mobile form, for telling outlets apart."""
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return None
    return _host(host.lower().rstrip(".")) if host else None


def _host(host: str) -> str:
    return _MIDDLE_MOBILE.sub("", _MIRROR.sub("", host))
