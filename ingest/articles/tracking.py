"""What addresses carry that is not of the article: tracking, sessions, and the caches and
redirects that stand around them."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

# Parameters that say how the reader came, never which article it is.
_TRACKING = re.compile(
    r"utm_\w+|at_(?:medium|campaign|custom\d|link\w*|bbc\w*|ptr\w*|format)|fbclid|gclid|gclsrc"
    r"|dclid|gbraid|wbraid|msclkid|yclid|twclid|ttclid|igshid|igsh|mibextid|mc_cid|mc_eid|_ga|_gl"
    r"|_hs\w+|hsctatracking|hss_channel|oly_enc_id|oly_anon_id|vero_id|vero_conv|wickedid|s_kwcid"
    r"|ef_id|icid|ito|ns_\w+|cmpid|cmp|xtor|ftag|partner|smid|smtyp|mkt_tok|spm|wt_?mc|wt\.mc_\w+"
    r"|ref_src|ref_url|rss|traffic_source|ocid|ncid|srnd|sref|feedname|feedtype|soc_src|soc_trk"
    r"|guce?_\w+|guccounter|gaa_\w+|__twitter_impression|pk_(?:campaign|kwd|source|medium)|mtm_\w+",
    re.IGNORECASE,
)
# `ref` says where the reader came from, except where it numbers the article.
_NUMBER_INSIDE = re.compile(r"\d{4}|^\d+$")
# A visitor's session: a long value, and under the short names a random one (`sid=123` is an
# article, `session_id=7` one of a conference).
_SESSION = re.compile(
    r"(?:(?:j|php|asp\.net_|asp)?sess(?:ion)?_?id\w{0,10}|cftoken)=.{16,}"
    r"|(?:sid|s|zenid|oscsid)=(?=\d*[a-z])(?=[a-z]*\d)[0-9a-z]{20,}",
    re.IGNORECASE,
)
_PATH_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/?#;]*", re.IGNORECASE)
_FRAGMENT_TRACKING = re.compile(r"(?:ref|xtor|utm_\w+|at_\w+|ns_\w+)=.*|rss|:~:.*", re.I | re.S)

# Pages that only lead to the one named inside their own address.
_AMP_CACHE = re.compile(r"/(?:c|v|wp|i)/(s/)?(?P<rest>[^/]+\..+)", re.DOTALL)
_AMP_VIEWER = re.compile(r"/amp/(s/)?(?P<rest>[^/]+\..+)", re.DOTALL)
_GOOGLE = re.compile(r"(?:www\.)?google\.(?:com?\.)?[a-z]{2,3}")
_REDIRECTORS = {"/url": ("url", "q"), "/news/apiclick.aspx": ("url",), "/l.php": ("u",)}


def tracks(parameter: str) -> bool:
    """Is this parameter of a query only about the reader?"""
    name, _, value = parameter.partition("=")
    if name.lower() == "ref":
        return _NUMBER_INSIDE.search(value) is None
    return bool(_TRACKING.fullmatch(name) or _SESSION.fullmatch(parameter))


def without_session(path: str) -> str:
    return _PATH_SESSION.sub("", path)


def without_tracking(fragment: str) -> str:
    return "" if _FRAGMENT_TRACKING.fullmatch(fragment) else fragment


def target(host: str, path: str, query: str) -> str | None:
    """The address that this one only leads to."""
    google = _GOOGLE.fullmatch(host) is not None
    inside = None
    if host == "cdn.ampproject.org" or host.endswith(".cdn.ampproject.org"):
        inside = _AMP_CACHE.fullmatch(path)
    elif google or host in ("www.bing.com", "bing.com"):
        inside = _AMP_VIEWER.fullmatch(path)
    if inside:
        return f"{'https' if inside[1] else 'http'}://{inside['rest']}" + (query and f"?{query}")
    if google or host in ("www.bing.com", "bing.com", "l.facebook.com"):
        given = dict(reversed(parse_qsl(query)))
        for name in _REDIRECTORS.get(path, ()):
            if given.get(name, "").startswith(("http://", "https://")):
                return given[name]
    return None
