"""Does a probability of .8 come true four times in five? Errors, and the picture of them.

Almost every pair of an article and an event is a clear no; judged over all pairs anything looks
calibrated. So only candidates count: each event's highest, and all that would be stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.metrics import Bin, Floats, brier_skill, calibration_error, equal_mass
from processors.match.settings import MatchSettings

# So many of each event's articles are candidates, whatever their probability.
HIGHEST = 50
KEEP = MatchSettings().keep
_SIDE, _MARGIN, _GAP = 200, 34, 26


class Calibration(NamedTuple):
    bins: list[Bin]
    ece: float
    skill: float
    candidates: int


def candidates(p: Floats) -> NDArray[np.bool_]:
    """Which pairs count, for probabilities with a row an event and a column an article."""
    mask: NDArray[np.bool_] = p >= KEEP
    highest = np.argsort(-p, axis=1, kind="stable")[:, :HIGHEST]
    np.put_along_axis(mask, highest, True, axis=1)
    return mask


def calibration(runs: Sequence[tuple[Floats, NDArray[np.bool_]]]) -> Calibration:
    """Over the candidates of all runs, each a matrix of probabilities and one of the truth."""
    masks = [candidates(p) for p, _ in runs]
    said = np.concatenate([p[mask] for (p, _), mask in zip(runs, masks, strict=True)])
    seen = np.concatenate([truth[mask] for (_, truth), mask in zip(runs, masks, strict=True)])
    bins = equal_mass(said, seen)
    return Calibration(bins, calibration_error(bins), brier_skill(said, seen), len(said))


def diagram(panels: Sequence[tuple[str, Sequence[Bin]]]) -> str:
    """Reliability diagrams side by side as an SVG: what was said to the right, what was seen
    upwards, the diagonal where both are the same."""
    width = len(panels) * (_SIDE + _MARGIN + _GAP)
    height = _SIDE + 2 * _MARGIN + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'font-family="sans-serif" font-size="11" fill="#444">',
        "<title>Reliability: probability said against share seen</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, (name, bins) in enumerate(panels):
        left = number * (_SIDE + _MARGIN + _GAP) + _MARGIN
        parts += _panel(name, bins, left, _MARGIN)
    return "\n".join([*parts, "</svg>", ""])


def _panel(name: str, bins: Sequence[Bin], left: int, top: int) -> list[str]:
    bottom = top + _SIDE

    def at(one: Bin) -> tuple[float, float]:
        return round(left + one.said * _SIDE, 1), round(bottom - one.seen * _SIDE, 1)

    points = " ".join(f"{x},{y}" for x, y in map(at, bins))
    parts = [
        f'<text x="{left}" y="{top - 10}" font-weight="bold">{escape(name)}</text>',
        f'<rect x="{left}" y="{top}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#999"/>',
        f'<line x1="{left}" y1="{bottom}" x2="{left + _SIDE}" y2="{top}" stroke="#999" '
        'stroke-dasharray="4 3"/>',
        f'<polyline points="{points}" fill="none" stroke="#1b5e9e" stroke-width="1.5"/>',
    ]
    parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="#1b5e9e"/>' for x, y in map(at, bins)]
    for tick in (0, 0.5, 1):
        x, y = left + tick * _SIDE, bottom - tick * _SIDE
        parts.append(f'<text x="{x:g}" y="{bottom + 14}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{left - 5}" y="{y + 4:g}" text-anchor="end">{tick:g}</text>')
    middle = left + _SIDE / 2
    parts.append(f'<text x="{middle:g}" y="{bottom + 28}" text-anchor="middle">said</text>')
    return parts
