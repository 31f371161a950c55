"""Text to vectors. A vector depends on its text alone, whatever the model and the batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from processors.embed import models
from processors.embed.settings import EmbedSettings

# Raise when the text that is embedded is put together in another way.
TEXT_RULE = 1


class Engine(Protocol):
    """What runs a model; `rows` gives unit rows in the order of the texts."""

    name: str
    dims: int

    def rows(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


class Encoder:
    """A loaded model. `name` = "<model>@<weights>-<max tokens>-<precision>-r<text rule>" and what
    else changes its vectors; `dims` = length of its vectors. Not for use from several threads at
    once.

    Raises UsageError when the model is not on this machine or is not what it should be.
    """

    def __init__(self, settings: EmbedSettings) -> None:
        self._engine = engine_of(settings)
        centre = models.known(settings.model).centre
        self._centre = models.centre(centre) if centre else None
        self.dims = self._engine.dims
        self.name = f"{self._engine.name}-r{TEXT_RULE}"
        if prefix := _prefix(settings):
            self.name += "-p" + hashlib.sha256(prefix.encode()).hexdigest()[:4]
        if self._centre is not None:
            self.name += f"-c{self._centre.fingerprint}"

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        """One vector a text: `dims` little-endian float16 numbers of unit length."""
        return [row.astype("<f2").tobytes() for row in self.encode_array(texts)]

    def encode_array(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors as rows of float32, unit length, in the order of the texts."""
        rows = self._engine.rows(texts)
        return rows if self._centre is None else self._centre.apply(rows)


def engine_of(settings: EmbedSettings) -> Engine:
    """What runs the model, without anything done to its vectors."""
    prefix = _prefix(settings)
    if settings.model == models.NANO:
        from processors.embed.nano import Nano

        return Nano(settings, prefix)
    from processors.embed.transformer import Transformer

    return Transformer(settings, prefix)


def _prefix(settings: EmbedSettings) -> str:
    return models.known(settings.model).prefix if settings.prefix is None else settings.prefix


def article_text(title: str, text: str) -> str:
    """What is embedded of an article: its title and its beginning (see `TEXT_RULE`)."""
    title, text = title.strip(), text.strip()
    if not title or text[: len(title)].casefold() == title.casefold():
        return text or title
    return f"{title}\n{text}" if text else title
