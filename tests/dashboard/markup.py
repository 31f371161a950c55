"""A sanity parse of a page: balanced tags, a title, a language, labels, no repeated ids."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "img", "hr", "use", "rect", "circle", "path"}


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.stack: list[tuple[str, dict[str, str]]] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        self._pieces: list[tuple[list[dict[str, str]], str]] = []
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag, _ in self.stack]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.seen.append((tag, attributes))
        if tag not in VOID:
            self.stack.append((tag, attributes))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack[-1][0] != tag:
            open_tag = self.stack[-1][0] if self.stack else "nothing"
            self.problems.append(f"</{tag}> at {self.getpos()} closes {open_tag}")
        else:
            self.stack.pop()

    def handle_data(self, data: str) -> None:
        self._pieces.append(([attributes for _, attributes in self.stack], data))

    @property
    def text(self) -> str:
        return _joined([data for _, data in self._pieces])

    def part(self, name: str) -> str:
        """Text of the region with this `data-part`."""
        return _joined(
            [d for path, d in self._pieces if any(a.get("data-part") == name for a in path)]
        )

    def text_of(self, css_class: str) -> str:
        """Text of everything with this class, in order."""
        inside = [
            data
            for path, data in self._pieces
            if any(css_class in attributes.get("class", "").split() for attributes in path)
        ]
        return _joined(inside)

    def check(self, address: str) -> None:
        """Asserts that the page is sound."""
        assert not self.problems, (address, self.problems)
        tags = [tag for tag, _ in self.seen]
        assert dict(self.seen)["html"].get("lang"), address
        assert tags.count("title") >= 1, address
        assert tags.count("h1") == 1, address
        assert tags.count("main") == 1, address
        ids = [a["id"] for _, a in self.seen if "id" in a]
        assert len(ids) == len(set(ids)), (address, ids)
        labelled = {a["for"] for tag, a in self.seen if tag == "label" and "for" in a}
        for tag, attributes in self.seen:
            if tag in ("input", "textarea", "select"):
                assert attributes.get("id") in labelled, (address, attributes)
            assert "style" not in attributes, (address, "inline style is refused by the policy")
            assert not any(name.startswith("on") for name in attributes), (address, attributes)


def _joined(pieces: list[str]) -> str:
    return " ".join(" ".join(pieces).split())
