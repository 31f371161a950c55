"""Lists of feeds in and out, from other readers and from those who wish us ill."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import feeds
from ingest.documents import clean
from ingest.feeds import Entry, Feed, folder_names
from ingest.subscriptions import opml
from ingest.subscriptions.opml import Listed
from stream.errors import UsageError
from tests.ingest.world import START, World

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0"><head/><body>\n'
END = "\n</body></opml>"


def read(folder: Path, text: str | bytes) -> Listed:
    path = folder / "list.opml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return opml.read(path)


def urls(listed: Listed) -> list[str]:
    return [entry.url for entry in listed.entries]


def feed(url: str, name: str = "A feed") -> str:
    return f'<outline type="rss" text="{name}" xmlUrl="{url}"/>'


def test_folders_are_kept_and_outlineoutside_of_them_too(tmp_path: Path) -> None:
    listed = read(
        tmp_path,
        HEAD + feed("https://a.example/") + '<outline text="Asia"><outline text="Japan">'
        + feed("https://b.example/") + "</outline>" + feed("https://c.example/") + "</outline>"
        + END,
    )  # fmt: skip
    assert [(e.url, e.folder) for e in listed.entries] == [
        ("https://a.example/", None),
        ("https://b.example/", "Asia/Japan"),
        ("https://c.example/", "Asia"),
    ]


def test_each_bad_outline_is_told_with_its_line_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = [
        feed("https://good.example/rss"),
        feed("javascript:alert(1)"),
        feed("file:///etc/passwd"),
        '<outline type="rss" text="without an address"/>',
        feed("http://"),
        feed("https://x.example/" + "a" * 5000),
        feed("not an address"),
        feed("https://also.example/rss"),
    ]
    listed = read(tmp_path, HEAD + "\n".join(lines) + END)
    assert urls(listed) == ["https://good.example/rss", "https://also.example/rss"]
    assert [p.line for p in listed.problems] == [4, 5, 6, 7, 8, 9]
    reasons = [p.reason for p in listed.problems]
    assert "javascript: is not http" in reasons[0]
    assert "file: is not http" in reasons[1]
    assert reasons[2] == "no address"
    assert "letters" in reasons[4]
    assert all(len(p.what) <= 100 for p in listed.problems)
    assert listed.skipped == 6


def test_lines_count_from_the_top_of_the_file(tmp_path: Path) -> None:
    listed = read(
        tmp_path, '\ufeff\n\n<?xml version="1.0"?>\n\n' + f"<opml>\n{feed('ftp://x')}</opml>"
    )
    assert listed.problems[0].line == 6


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "iso8859-1", "shift_jis"])
def test_encodings_other_readers_write(tmp_path: Path, encoding: str) -> None:
    name = {"iso8859-1": "Zürich über alles", "shift_jis": "日本のニュースです"}.get(
        encoding, "Ελλάδα 日本"
    )
    outline = feed("https://a.example/", name)
    text = f'<?xml version="1.0" encoding="{encoding}"?><opml>{outline}</opml>'
    (entry,) = read(tmp_path, text.encode(encoding)).entries
    assert entry.title == name


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://a.example/?a=1&b=2", "https://a.example/?a=1&b=2"),
        ("https://a.example/?a=1&copy=2", "https://a.example/?a=1&copy=2"),
        ("https://a.example/?a=1&amp;b=2", "https://a.example/?a=1&b=2"),
        ("  https://a.example/ ", "https://a.example/"),
    ],
)
def test_bare_ampersands_do_not_break_the_list(tmp_path: Path, written: str, url: str) -> None:
    assert urls(read(tmp_path, HEAD + feed(written) + END)) == [url]


@pytest.mark.parametrize("attribute", ["xmlUrl", "xmlurl", "XMLURL"])
def test_attributes_in_any_case(tmp_path: Path, attribute: str) -> None:
    text = f'<OPML><OUTLINE Text="T" {attribute}="https://a.example/"/></OPML>'
    assert read(tmp_path, text).entries == [Entry(url="https://a.example/", title="T")]


def test_names_are_plain_text(tmp_path: Path) -> None:
    hostile = "&lt;script&gt;x&lt;/script&gt;Good &amp;amp; new\u202e"
    (entry,) = read(tmp_path, HEAD + feed("https://a.example/", hostile) + END).entries
    assert entry.title == "Good & new"


def test_a_text_with_an_address_a_line(tmp_path: Path) -> None:
    listed = read(tmp_path, "# mine\nhttps://a.example/rss\r\n\n  b.example/feed  \nnonsense\n")
    assert urls(listed) == ["https://a.example/rss", "b.example/feed"]
    assert [(p.line, p.what) for p in listed.problems] == [(5, "nonsense")]


@pytest.mark.parametrize(
    "content",
    [
        "name,url\nx,https://news.example/\n",
        "<rss/>",
        "<!doctype html><html><p>Log in<br></html>",
        '<!DOCTYPE opml [<!ENTITY a "b">]><opml><body><outline text="&a;"/></body></opml>',
        '<!DOCTYPE opml [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]><opml/>',
        "<opml><body><outline",
        "",
        "\x00\x01\x02",
        '{"feeds": []}',
    ],
)
def test_what_is_no_list_is_refused_with_a_clear_sentence(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError, match=r"list\.opml"):
        read(tmp_path, content)


def test_a_broken_list_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 5"):
        read(tmp_path, HEAD + feed("https://a.example/") + "\n\n</oops>" + END)


@pytest.mark.timeout(30)
def test_depth_and_size_are_bounded(tmp_path: Path) -> None:
    deep = 100_000
    inside = read(
        tmp_path,
        HEAD + '<outline text="f">' * deep + feed("https://a.example/") + "</outline>" * deep + END,
    ).entries[0]
    assert inside.folder is not None
    assert inside.folder.count("/") < 10
    (entry,) = read(tmp_path, HEAD + feed("https://a.example/", "n" * 1_000_000) + END).entries
    assert entry.title is not None
    assert len(entry.title) < 1000
    with pytest.raises(UsageError, match="over 100,000 feeds"):
        read(tmp_path, HEAD + '<outline xmlUrl="http://a.b"/>' * 500_000 + END)
    with pytest.raises(UsageError, match="bytes"):
        read(tmp_path, HEAD + " " * 17_000_000 + END)
    listed = read(tmp_path, HEAD + '<outline xmlUrl="x:y"/>' * 200_000 + END[:0] + END
                  .replace("</body>", feed("https://a.example/") + "</body>"))  # fmt: skip
    assert listed.skipped == 200_000
    assert len(listed.problems) <= 1000


def test_what_goes_out_comes_back(world: World, tmp_path: Path) -> None:
    kept = [
        Entry(url="https://a.example/?x=1&y=2", title="News & <more> \"quoted\" 'x'"),
        Entry(url="https://b.example/", outlet="b.example", folder="Asia/Japan"),
        Entry(url="https://c.example/", title="日本", folder="Asia", full_text=True),
        Entry(url="https://d.example/", folder="Asia/Japan/Tokyo", full_text=False),
        Entry(url="https://e.example/", folder="Europe & more", paused=True),
        Entry(url="https://f.example/", title="&lt;b&gt; in a title"),
        Entry(url="https://g.example/", title="https://g.example/feed is its name"),
    ]
    feeds.add_many(world.engine, kept, now=START)
    opml.write(tmp_path / "out.opml", feeds.listing(world.engine))
    back = opml.read(tmp_path / "out.opml")
    assert back.problems == []
    assert sorted(back.entries, key=lambda e: e.url) == kept


def test_ten_thousand_outlinego_in_and_out(world: World, tmp_path: Path) -> None:
    many = [
        Entry(url=f"https://n{n}.example/rss", title=f"Number {n}", folder=f"Folder {n % 50}")
        for n in range(10_000)
    ]
    assert len(feeds.add_many(world.engine, many, now=START).new) == 10_000
    opml.write(tmp_path / "out.opml", feeds.listing(world.engine))
    back = opml.read(tmp_path / "out.opml").entries
    assert len(back) == 10_000
    again = feeds.add_many(world.engine, back, now=START)
    assert again.new == []
    assert len(again.known) == 10_000


def test_a_file_is_replaced_as_a_whole_or_not_at_all(world: World, tmp_path: Path) -> None:
    path = tmp_path / "out.opml"
    path.write_text("precious")

    def breaks() -> object:
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        opml.write(path, (breaks() for _ in range(1)))  # type: ignore[misc]
    assert path.read_text() == "precious"
    opml.write(path, [])
    assert path.read_text().startswith("<?xml")
    assert [p.name for p in tmp_path.glob("*.opml*")] == ["out.opml"]
    with pytest.raises(UsageError, match="nowhere"):
        opml.write(tmp_path / "nowhere" / "x.opml", [])


def test_a_pipe_can_be_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        opml.write(pipe, [])
        assert os.read(reader, 10_000).startswith(b"<?xml")
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


_words = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=30
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_words, st.lists(_words, max_size=4), _words), max_size=6))
def test_any_names_and_folders_come_back(written: list[tuple[str, list[str], str]]) -> None:
    rows = [
        Feed(
            id=n, url=f"https://n{n}.example/", state="active", added=START, next_at=START,
            interval_s=1.0, title=clean.line(title) or None, outlet=clean.line(outlet) or None,
            folder="/".join(folder_names(clean.plain("/".join(folders)))) or None,
        )
        for n, (title, folders, outlet) in enumerate(written)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.opml"
        opml.write(path, rows)
        back = {e.url: e for e in opml.read(path).entries} if rows else {}
    for row in rows:
        entry = back[row.url]
        assert (entry.title, entry.outlet) == (row.title, row.outlet)
        assert folder_names(entry.folder) == folder_names(row.folder)[:8]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda t: f"<opml>{t}</opml>".encode()))
def test_no_bytes_end_in_anything_but_a_list_or_a_sentence(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(UsageError):
            for entry in opml.read(file.name).entries:
                feeds.address(entry.url)
