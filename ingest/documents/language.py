"""Which language an article is in. What a feed claims is only a hint: 4 of 134 captured feeds
name a wrong one and 25 none."""

from __future__ import annotations

import re
from functools import cache
from typing import Protocol, cast

import numpy as np

from stream.errors import Unavailable

# Of 4,379 captured items more text changes the answer for three: English articles whose last lines
# are Korean. Each further hundred letters cost 5 µs.
_SAMPLE = 300
# A headline that agrees with its feed's claim is enough: the same answers, a third sooner.
_OPENING, _CERTAIN = 80, 0.9
# Headlines of one or two names are guesses: measured on the labelled headlines (nine languages),
# answers above this are right 98 times in 100.
_SURE = 0.5
# With a claim in agreement less is enough.
_AGREES = 0.1
_THREE_LETTERS = re.compile(r"(?:[^\W\d_][\W\d_]*){3}")
# Languages whose articles a news feed brings; the model knows 140, and its mistakes on short
# text are mostly among the ones left out.
_NEWS = (
    "af am ar az be bg bn bs ca cs cy da de el en es et eu fa fi fr gu he hi hr hu hy id is it ja "
    "ka kk km kn ko ku ky lo lt lv mk ml mn mr ms my ne nl no pa pl ps pt ro ru si sk sl so sq sr "
    "sv sw ta te th tl tr uk ur uz vi zh zu"
)


class _Identifier(Protocol):
    def classify(self, text: str) -> tuple[str, float]: ...


def load() -> None:
    """Load the model now (a second), so that the first article need not wait for it."""
    _identifier()


@cache
def _identifier() -> _Identifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # 1 s to load: only when needed

    try:  # it unpacks itself into the folder for temporary files
        made = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    except OSError as error:
        raise Unavailable(
            f"the language model cannot be unpacked ({error.strerror}); free some space on the disk"
        ) from error
    made.set_languages(_NEWS.split())
    # It gathers a few rows of this table for each text; row by row in memory that takes half as
    # long as in the order that the selection of languages leaves it in.
    made.nb_ptc = np.ascontiguousarray(made.nb_ptc, dtype=np.float32)
    return cast(_Identifier, made)


def identify(title: str, text: str, claim: str | None = None) -> str | None:
    """ISO 639-1 code, or None when neither the words nor a claim beside them say enough."""
    sample = f"{title}\n{text[:_SAMPLE]}"[:_SAMPLE]
    hint = code(claim)
    if not _THREE_LETTERS.search(sample):
        return hint
    if hint and len(sample) > _OPENING:
        lang, probability = _identifier().classify(sample[:_OPENING])
        if lang == hint and probability >= _CERTAIN:
            return lang
    lang, probability = _identifier().classify(sample)
    if probability >= (_AGREES if lang == hint else _SURE):
        return lang
    return hint


def code(claim: str | None) -> str | None:
    """The two letters of "en-GB", "zh_Hans" or "EN"; None for anything else."""
    match = re.match(r"([A-Za-z]{2})(?:[-_]|$)", (claim or "").strip())
    return match[1].lower() if match else None
