"""Open stories by direction: found as an exact scan finds them, whatever came and went before."""

from __future__ import annotations

import numpy as np
import pytest

from processors.cluster import kept
from processors.cluster.directions import CAPACITY, KEPT, PROBED, Direction
from processors.cluster.nearest import Cell, Cells

DIMS = 128


def directions(count: int, groups: int, seed: int = 1, in_common: float = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    around = random.standard_normal((groups, DIMS)) + in_common * random.standard_normal(DIMS)
    drawn = around[random.integers(0, groups, count)] + random.standard_normal((count, DIMS))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def filled(vectors: np.ndarray) -> Cells:
    cells = Cells()
    for row, vector in enumerate(vectors):
        cells.put(row, vector)
    return cells


def exact(vectors: np.ndarray, rows: list[int], asked: np.ndarray, count: int) -> list[int]:
    near = {row: round(float(vectors[row] @ asked), 4) for row in rows}
    return sorted(rows, key=lambda row: (-near[row], row))[:count]


def test_nothing_is_found_where_nothing_is_held() -> None:
    assert Cells().near(np.ones(DIMS, dtype=np.float32), 24) == ([], [])


def test_while_all_are_compared_the_search_is_exact() -> None:
    vectors = directions(4 * CAPACITY, groups=9)
    cells = filled(vectors)
    assert 1 < cells.count <= PROBED
    for asked in directions(40, groups=9, seed=2):
        rows, near = cells.near(asked, len(vectors) // KEPT)
        assert near == sorted(near, reverse=True)
        assert near == pytest.approx([vectors[row] @ asked for row in rows], abs=5e-4)
        assert set(rows[:10]) == set(exact(vectors, list(range(len(vectors))), asked, 10))


@pytest.mark.parametrize("in_common", [0, 3], ids=["all around", "all on one side"])
def test_among_many_cells_the_nearest_stories_are_hardly_ever_missed(in_common: float) -> None:
    vectors = directions(CAPACITY * PROBED * 2, 60, in_common=in_common)
    cells = filled(vectors)
    assert cells.count > 2 * PROBED
    asked = vectors[::100] + 0.05 * directions(len(vectors[::100]), groups=9, seed=3)
    found = [cells.near(one, 24)[0][:8] for one in asked]
    right = [np.argsort(-(vectors @ one))[:8].tolist() for one in asked]
    assert np.mean([a[0] == b[0] for a, b in zip(found, right, strict=True)]) > 0.97
    assert np.mean([len({*a} & {*b}) / 8 for a, b in zip(found, right, strict=True)]) > 0.9


def test_stories_that_went_or_moved_are_found_where_they_are_now() -> None:
    vectors = directions(1500, groups=20)
    cells = filled(vectors)
    many = cells.count
    gone = [row for row in range(1500) if row % 8]
    for row in gone:
        cells.remove(row)
    moved = directions(1500, groups=5, seed=4)
    left = [row for row in range(1500) if row % 8 == 0]
    for row in left:
        cells.put(row, moved[row])
    assert cells.count < many / 2
    assert not any(row in cells for row in gone)
    asked = moved[0]
    assert set(cells.near(asked, 500)[0]) == set(left)
    assert cells.near(asked, 1) == ([0], [pytest.approx(1, abs=1e-4)])


def test_stories_with_one_and_the_same_vector_are_all_kept() -> None:
    same = np.repeat(directions(1, groups=1), 3 * CAPACITY, axis=0)
    cells = filled(same)
    assert cells.near(same[0], 3 * CAPACITY)[0] == list(range(3 * CAPACITY))


def test_restored_cells_go_on_as_the_first_ones_do() -> None:
    vectors = directions(4000, groups=30)
    first = filled(vectors[:2500])
    again = Cells()
    written = kept.encode((first.level, first.held()))
    again.restore(*kept.decoder(tuple[Direction, list[Cell]])(written))
    for cells in (first, again):
        for row in range(0, 2500, 3):
            cells.remove(row)
        for row in range(2500, 4000):
            cells.put(row, vectors[row])
    one, other = ([cell.rows.tolist() for cell in cells.held()] for cells in (first, again))
    assert one == other
    for asked in directions(50, groups=30, seed=5):
        assert first.near(asked, 24) == again.near(asked, 24)
