"""Open stories by direction: found as an exact scan finds them, whatever came and went before."""

from __future__ import annotations

import numpy as np
import pytest

from processors.cluster import kept
from processors.cluster.nearest import CAPACITY, PROBED, Cell, Cells

DIMS = 32


def directions(count: int, groups: int, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    around = random.standard_normal((groups, DIMS))
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


def test_a_few_hundred_stories_are_searched_exactly() -> None:
    vectors = directions(CAPACITY * PROBED // 3, groups=9)
    cells = filled(vectors)
    assert 1 < cells.count <= PROBED
    for asked in directions(40, groups=9, seed=2):
        rows, near = cells.near(asked, 10)
        assert near == sorted(near, reverse=True)
        assert set(rows) == set(exact(vectors, list(range(len(vectors))), asked, 10))


def test_among_many_cells_the_nearest_story_is_hardly_ever_missed() -> None:
    vectors = directions(CAPACITY * PROBED * 4, groups=60)
    cells = filled(vectors)
    assert cells.count > 3 * PROBED
    asked = vectors[::50] + 0.05 * directions(len(vectors[::50]), groups=9, seed=3)
    found = [cells.near(one, 1)[0][0] for one in asked]
    right = [int((vectors @ one).argmax()) for one in asked]
    assert np.mean([a == b for a, b in zip(found, right, strict=True)]) > 0.97


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
    assert cells.near(asked, 1) == ([0], [pytest.approx(1, abs=1e-5)])


def test_stories_with_one_and_the_same_vector_are_all_kept() -> None:
    same = np.repeat(directions(1, groups=1), 3 * CAPACITY, axis=0)
    cells = filled(same)
    assert cells.near(same[0], 3 * CAPACITY)[0] == list(range(3 * CAPACITY))


def test_restored_cells_go_on_as_the_first_ones_do() -> None:
    vectors = directions(4000, groups=30)
    first = filled(vectors[:2500])
    again = Cells()
    again.restore(kept.decoder(list[Cell])(kept.encode(first.held())))
    for cells in (first, again):
        for row in range(0, 2500, 3):
            cells.remove(row)
        for row in range(2500, 4000):
            cells.put(row, vectors[row])
    one, other = ([cell.rows.tolist() for cell in cells.held()] for cells in (first, again))
    assert one == other
    for asked in directions(50, groups=30, seed=5):
        assert first.near(asked, 24) == again.near(asked, 24)
