"""Choices are judged on images that they were not fitted to, and taken where they help."""

from __future__ import annotations

import numpy as np
import pytest

from compress.convert.quantize import Choices, quantize
from tests.compress.convert.quantize.graphs import Net, images, run


def network() -> tuple[Net, bytes]:
    net = Net(6)
    y = net.conv(net.input(1, 8, 8, 4), 16, activation=1)
    return net, net.flatbuffer(net.conv(net.conv(y, 16, activation=1), 6))


def spiked(net: Net, count: int) -> list[np.ndarray]:
    """Images, one of which has one pixel that no other image comes near."""
    (values,) = images(net, count)
    values[0, 0, 0, 0] = 60.0
    return [values]


def test_a_choice_is_in_the_file_where_it_helps_and_only_there() -> None:
    net, flatbuffer = network()
    made = quantize(flatbuffer, spiked(net, 16))
    gains = {gain.choice: gain for gain in made.gains}
    assert list(gains) == ["equalize", "range", "correct_bias"]
    assert gains["range"].taken and gains["range"].snr_db_with > gains["range"].snr_db_without + 1.5
    for gain in made.gains:
        assert gain.taken == (gain.snr_db_with >= gain.snr_db_without + 0.1)
    named = Choices(
        range="measured" if gains["range"].taken else "min-max",
        equalize=gains["equalize"].taken,
        correct_bias=gains["correct_bias"].taken,
    )
    assert quantize(flatbuffer, spiked(net, 16), named).flatbuffer == made.flatbuffer


def test_the_file_is_nearer_on_images_that_nobody_saw() -> None:
    net, flatbuffer = network()
    fresh = images(net, 8, seed=9)
    (wanted,) = run(flatbuffer, fresh)
    plain = Choices("min-max", False, False)
    errors = [
        np.abs(run(quantize(flatbuffer, spiked(net, 16), one).flatbuffer, fresh)[0] - wanted).mean()
        for one in (Choices(), plain)
    ]
    assert errors[0] < 0.7 * errors[1]


@pytest.mark.parametrize("name", ["min-max", "percentile", "mse"])
def test_a_named_range_is_taken_as_it_is(name: str) -> None:
    net, flatbuffer = network()
    made = quantize(flatbuffer, spiked(net, 8), Choices(name, False, False))
    assert made.gains == () and {one.range for one in made.tensors} == {name}


def test_three_images_judge_nothing() -> None:
    net, flatbuffer = network()
    made = quantize(flatbuffer, images(net, 3))
    assert made.gains == () and {one.range for one in made.tensors} == {"min-max"}
    assert made.flatbuffer == quantize(flatbuffer, images(net, 3), Choices("min-max", False, False)).flatbuffer


def test_an_output_that_never_changes_gains_nothing() -> None:
    net, flatbuffer = network()
    same = [np.repeat(one[:1], 8, 0) for one in images(net)]
    made = quantize(flatbuffer, same)
    assert not any(np.isnan([gain.snr_db_with for gain in made.gains]))


def test_equal_images_give_equal_bytes() -> None:
    net, flatbuffer = network()
    assert quantize(flatbuffer, spiked(net, 8)).flatbuffer == quantize(flatbuffer, spiked(net, 8)).flatbuffer
