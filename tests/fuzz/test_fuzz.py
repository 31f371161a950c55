"""Each target for a few seconds, always the same way; longer runs are for people."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Enough to find again what the targets found while they were written, most of it in hundreds.
RUNS = {"opml": 300}  # it goes through files
SEEDS = {
    "parse": b"\0<rss version='2.0'><channel><title>T</title><item><title>a &amp; b</title>"
    b"<link>/1</link><guid>x</guid><description><![CDATA[<p>c</p>]]></description>"
    b"<pubDate>Mon, 20 Sep 2021 10:00:00 GMT</pubDate></item></channel></rss>",
    "dates": b"Mon, 20 Sep 2021 10:00:00 +0200",
    "clean": b"<p class='x'>a &amp;amp; b</p><script>c</script>",
    "urls": b"https://www.news.example:443/a/../b?utm_source=x&id=1#f",
    "opml": b"<opml><body><outline text='a' xmlUrl='https://news.example/feed'/></body></opml>",
}


@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="atheris is not installed")
@pytest.mark.parametrize("target", SEEDS)
def test_nothing_that_must_hold_is_broken(target: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "seed").write_bytes(SEEDS[target])
    command = [
        sys.executable, "-m", f"tests.fuzz.{target}", "-seed=1", "-timeout=20",
        f"-runs={RUNS.get(target, 3_000)}",
        "-rss_limit_mb=4096", f"-artifact_prefix={tmp_path}/", str(corpus),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"}, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
