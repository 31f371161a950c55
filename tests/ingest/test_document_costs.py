"""No document costs more than its size."""

from __future__ import annotations

import pytest

from ingest.documents.items import Refusal
from tests.ingest.reading import clean_everywhere, one, read, refused, titles

SIZE = 1_000_000
BIG: dict[str, str] = {
    "50,000 attributes": one("<x " + " ".join(f"a{n}='{n}'" for n in range(50_000)) + "/>"),
    "deep nesting": one("<description>" + "<b>" * 200_000 + "x</description>"),
    "deep and closed": one("<x>" + "<b>" * 100_000 + "</b>" * 100_000 + "</x>"),
    "tags never closed": one("<b>" * 100_000),
    "quotes never closed": one('<a href="' * 100_000),
    "namespaces": one("".join(f"<n{n}:a xmlns:n{n}='urn:{n}'/>" for n in range(20_000))),
    "unclosed comments in HTML": one(f"<description>{'&lt;!--' * 80_000}</description>"),
    "HTML attributes": one(
        f"<description>&lt;a {' '.join(f'x{n}' for n in range(200_000))}&gt;</description>"
    ),
    "HTML attributes in quotes": one(
        "<description>&lt;a "
        + " ".join(f'x{n}=&quot;&gt;&quot;' for n in range(50_000))
        + "&gt;</description>"
    ),
    "escaped over and over": one(f"<description>&amp;{'amp;' * 250_000}lt;b</description>"),
    "categories": one("<category>c</category>" * 50_000),
    "a long word": one(f"<description>{'x' * SIZE}</description>"),
    "blanks": one(f"<description>{' ' * SIZE}</description>"),
    "combining marks": one(f"<description>a{chr(0x301) * SIZE}</description>"),
    "digits for a date": one(f"<pubDate>{'1' * SIZE}</pubDate>"),
    "many instructions": one("<?x ?>" * 100_000),
    "many document types": one("<!DOCTYPE x [" * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("attack", BIG)
@pytest.mark.parametrize("broken", [False, True], ids=["well-formed", "broken"])
def test_no_document_costs_more_than_linear_time(attack: str, broken: bool) -> None:
    body = BIG[attack].replace("</channel>", "<x></channel>") if broken else BIG[attack]
    found = read(body)
    clean_everywhere(found)
    assert isinstance(found, Refusal) or titles(found) == ["Kept"]


def test_more_tags_than_any_feed_has_are_refused() -> None:
    assert refused("broken")(read(one("<b>" * 600_000)))
