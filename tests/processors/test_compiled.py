"""What is compiled: by itself in its module, within its bounds, and where nothing can be kept."""

from __future__ import annotations

import ast
import builtins
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core import caching, config

from processors import compiled

ROOT = Path(__file__).parents[2]
MODULES = [
    path
    for path in sorted((ROOT / "processors").rglob("*.py"))
    if "@compiled" in path.read_text() and path.name != "compiled.py"
]


def compiled_in(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any(
            isinstance(one, ast.Name) and one.id == "compiled" for one in node.decorator_list
        ):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_compiled_functions_use_nothing_of_other_modules_of_ours(path: Path) -> None:
    """What numba keeps of a function is thrown away when its file changes, and only then."""
    tree = ast.parse(path.read_text())
    foreign = {
        name.asname or name.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("processors")
        for name in node.names
    } - {"compiled"}
    functions = list(compiled_in(tree))
    assert functions
    for function in functions:
        used = {
            node.id
            for part in function.body
            for node in ast.walk(part)
            if isinstance(node, ast.Name) and not hasattr(builtins, node.id)
        }
        assert not used & foreign, f"{function.name} uses {sorted(used & foreign)}"


def doubled(numbers: Any) -> float:
    total = 0.0
    for number in numbers:
        total += 2 * number
    return total


def runs() -> Any:
    """Compiled as if in a new process, and called; returns what was compiled."""
    made: Any = compiled.compiled(doubled)
    assert made(np.array([1.0, 2.5])) == 7.0
    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def kept(made: Any) -> bool:
    return sum(made.stats.cache_hits.values()) == 1


def test_what_was_compiled_is_kept(folder: Path) -> None:
    assert not kept(runs())
    assert kept(runs())


def test_what_was_kept_and_cannot_be_read_is_compiled_and_kept_anew(folder: Path) -> None:
    for ending in ("nbi", "nbc"):
        runs()
        (file,) = folder.rglob(f"*.{ending}")
        file.write_bytes(b"\0" * 64)  # as after a power cut
        assert not kept(runs())
        assert kept(runs())


def test_on_a_full_disk_functions_are_compiled_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "save", full)
    assert not kept(runs())
    assert not kept(runs())


def test_where_no_folder_can_be_written_functions_are_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nowhere(function: Any) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(compiled, "_Kept", nowhere)
    assert not kept(runs())


@pytest.mark.slow
def test_compiled_functions_stay_within_their_arrays(tmp_path: Path) -> None:
    """The tests that call them, compiled with a check of every index."""
    tests = [f"cluster_{one}" for one in ("bag", "signals", "nearest", "copies", "place", "mend")]
    tests += [f"match_{one}" for one in ("bounds", "lexicon", "stage", "crowd", "similarity")]
    files = [f"tests/processors/test_{one}.py" for one in tests]
    checked = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow",
         *files],
        cwd=ROOT, env=checked, capture_output=True, text=True, timeout=170,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert any(tmp_path.rglob("*.nbi")), "compiled for this run"
