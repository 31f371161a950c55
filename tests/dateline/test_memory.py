"""The stage that holds most has its memory in huge pages, unless the operator says otherwise."""

from __future__ import annotations

import platform
import time
from pathlib import Path

import pytest

from dateline.supervisor import HUGE_PAGES, Child

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="huge pages by glibc")


@pytest.mark.parametrize(
    ("stages", "given", "expected"),
    [
        (["cluster", "match"], {}, HUGE_PAGES),
        (["embed"], {}, {}),
        (["cluster"], {"PYTHONMALLOC": "pymalloc"}, HUGE_PAGES | {"PYTHONMALLOC": "pymalloc"}),
    ],
)
def test_a_process_with_the_cluster_stage_gets_huge_pages(
    stages: list[str],
    given: dict[str, str],
    expected: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in HUGE_PAGES:
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    child = Child(stages, cwd=tmp_path)
    child.start()
    assert child.process is not None
    try:
        environ = Path(f"/proc/{child.process.pid}/environ")
        while not (found := environ.read_bytes()):  # it is empty for a moment at first
            time.sleep(0.01)
        own = dict(one.split("=", 1) for one in found.decode().split("\0") if one)
        assert {name: own[name] for name in HUGE_PAGES if name in own} == expected
    finally:
        child.stop()
        child.join(30)
