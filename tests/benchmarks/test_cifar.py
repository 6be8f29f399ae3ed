from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cifar import front


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_the_front_is_what_is_left_going_from_the_fastest_on(points: list[tuple[int, int]]) -> None:
    """Of those that take as long the most accurate, where it is more accurate than all that are faster."""
    best, left = -1, set()
    for time, group in groupby(sorted(points, key=lambda point: point[1]), key=lambda point: point[1]):
        accuracy = max(point[0] for point in group)
        if accuracy > best:
            best = accuracy
            left.add((accuracy, time))
    assert front([(float(a), float(t)) for a, t in points]) == [point in left for point in points]
