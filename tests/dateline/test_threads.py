"""Products of vectors stay on one core, unless the operator says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_one_thread_is_asked_for_before_numpy_starts_its_own(
    given: dict[str, str], expected: str
) -> None:
    numpy, threads = "'numpy' in sys.modules", "os.environ['OPENBLAS_NUM_THREADS']"
    look = f"import os, sys, dateline; print({numpy}, {threads})"
    kept = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", look], env=kept | given, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", expected]
