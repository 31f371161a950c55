"""URLs of articles: made canonical for storing, folded for telling articles apart."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit, urlunsplit

# Longer ones are not addresses of articles; browsers stop at about this length too.
MAX_LENGTH = 2000

# Parameters that say how the reader came, never which article it is.
_TRACKING = re.compile(
    r"(?:utm_\w+|at_(?:medium|campaign|custom\d|link\w*|bbc\w*|ptr\w*|format)|fbclid|gclid|dclid"
    r"|gbraid|wbraid|msclkid|yclid|twclid|igshid|mc_cid|mc_eid|_ga|_gl|oly_enc_id|oly_anon_id"
    r"|vero_id|wickedid|icid|ito|ns_\w+|cmpid|cmp|xtor|ftag|partner|smid|smtyp|mkt_tok|spm"
    r"|wt_mc|wtmc|ref|ref_src|ref_url|rss|traffic_source|ocid|srnd|sref|feedname|feedtype)",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MIRROR = re.compile(r"^(?:www\d?|m|mobile|amp|touch|rss|feeds?)\.(?=[^.]+\.)")
_AMP_TAIL = re.compile(r"(?:/amp|\.amp)(?=/?$)|(?<=\.)amp\.(?=html?$)", re.IGNORECASE)
_BLANK = re.compile(r"[\s\x00-\x1f\x7f\u200b\u2028\u2029]+")


def canonical(url: str | None, base: str | None = None) -> str | None:
    """The URL without fragment, default port and tracking parameters, scheme and host in lower
    case; still usable in a browser. None for anything but a plausible http(s) address."""
    if not url:
        return None
    url = _BLANK.sub("", url).replace("&amp;", "&")  # some publishers escape twice
    if len(url) > MAX_LENGTH or (base is None and ":" not in url):
        return None
    try:
        parts = urlsplit(urljoin(base, url) if base else url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:  # UnicodeError is one
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not _plausible(host):
        return None
    if ":" in host:
        host = f"[{host}]"
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        host = f"{host}:{port}"
    query = "&".join(p for p in parts.query.split("&") if p and not _tracks(p))
    return urlunsplit((scheme, host, parts.path or "/", query, ""))


def _plausible(host: str) -> bool:
    return bool(host) and "%" not in host and not any(c in host for c in " <>\"'\\^`{|}")


def _tracks(parameter: str) -> bool:
    return _TRACKING.fullmatch(parameter.partition("=")[0]) is not None


def identity_key(url: str | None) -> str | None:
    """What two addresses of one article have in common: no scheme, no www, mobile or AMP form,
    no slash at the end. None for a home page, which names no article."""
    canon = canonical(url)
    if canon is None:
        return None
    parts = urlsplit(canon)
    host = _MIRROR.sub("", parts.netloc)
    path = _AMP_TAIL.sub("", parts.path).rstrip("/")
    query = "&".join(
        p for p in parts.query.split("&") if p and not p.startswith(("amp=", "outputType=amp"))
    )
    if not path and not query:
        return None
    return f"{host}{path}?{query}" if query else f"{host}{path}"


def domain(url: str | None) -> str | None:
    """The publisher's host without its www or mobile form, for telling outlets apart."""
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return None
    return _MIRROR.sub("", host.lower().rstrip(".")) if host else None
