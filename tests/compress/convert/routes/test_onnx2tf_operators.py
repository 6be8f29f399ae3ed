"""Tensors whose axes lie in another order than ONNX's."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.train, pytest.mark.timeout(600)]  # imports TensorFlow


@st.composite
def shapes(draw: st.DrawFn) -> tuple[list[int], list[int], list[int]]:
    """A shape, the order in which its axes lie, and another shape of as many values."""
    factors = draw(st.lists(st.sampled_from([1, 2, 3]), max_size=6))

    def grouped() -> list[int]:
        ends = sorted(draw(st.lists(st.integers(0, len(factors)), max_size=4)))
        bounds = [0, *ends, len(factors)]
        return [math.prod(factors[a:b]) for a, b in pairwise(bounds)]

    old = grouped()
    return old, draw(st.permutations(range(len(old)))), grouped()


@settings(max_examples=500, deadline=None)
@given(shapes())
def test_any_reshaping_of_any_order_is_the_plain_one(drawn: tuple[list[int], list[int], list[int]]) -> None:
    from compress.convert.routes.onnx2tf_operators import Value, reshaped

    old, order, new = drawn
    x = np.arange(math.prod(old)).reshape(old)
    made = reshaped(Value(x.transpose(order), tuple(order)), new)
    assert made.shape == tuple(new)
    np.testing.assert_array_equal(made.constant(), x.reshape(new))


def test_pixels_become_tokens_and_channels_heads_where_they_lie() -> None:
    """No transposition: the values stay in the order of the memory."""
    from compress.convert.routes.onnx2tf_operators import Value, reshaped

    image = Value(np.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6), (0, 2, 3, 1))
    for shape in ((2, 6, 12), (2, 2, 3, 12), (2, 6, 12, 1), (2, 6, 3, 2, 2)):
        assert np.array_equal(reshaped(image, shape).tensor.reshape(-1), np.arange(144))
    apart = reshaped(image, (2, 72))  # channels first, then pixels
    assert not np.array_equal(apart.tensor.reshape(-1), np.arange(144))
