"""From a proved float32 file to int8: the user's modules are known by name, and bad calibration ends in a sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compress.convert.int8 import to_int8
from compress.convert.quantize import Choices
from compress.convert.tflite import to_tflite
from edge.errors import EdgeError
from tests.compress.convert.own_route import Small, file_of
from tests.compress.convert.quantize.graphs import run

IMAGES = torch.randn(16, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def ran(flatbuffer: bytes, images: torch.Tensor = IMAGES) -> np.ndarray:
    return run(flatbuffer, [images.permute(0, 2, 3, 1).numpy()])[0]


def test_its_report_names_the_users_modules() -> None:
    network = Small()
    made = to_int8(network, file_of(network), (IMAGES,), Choices())
    assert [one.module for one in made.tensors if one.module] == ["first", "second", "head"]
    with torch.no_grad():
        wanted = network(IMAGES).numpy()
    assert np.abs(ran(made.flatbuffer) - wanted).max() < 0.05 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("kind", "choices"), [("float32", Choices(float32=("second",))), ("int16", Choices(int16=("second",)))]
)
def test_a_module_by_its_name_stays_float_or_has_16_bits(kind: str, choices: Choices) -> None:
    network = Small()
    made = to_int8(network, file_of(network), (IMAGES,), choices)
    types = {one.module: one.type for one in made.tensors}
    assert (types["second"], types["head"]) == (kind, "int8")
    with torch.no_grad():
        wanted = network(IMAGES).numpy()
    assert np.abs(ran(made.flatbuffer) - wanted).max() < 0.05 * np.abs(wanted).max()


def test_a_module_that_is_not_there_is_named() -> None:
    network = Small()
    with pytest.raises(EdgeError, match=r"has a name like 'third': .* \(first, head, second\)") as error:
        to_int8(network, file_of(network), (IMAGES,), Choices(float32=("third",)))
    assert error.value.code == "conversion.part"


@pytest.mark.parametrize(
    "images", [IMAGES[:1], torch.zeros(8, 2, 8, 8), torch.full((8, 2, 8, 8), 3.0)], ids=["one", "zero", "constant"]
)
def test_one_image_and_constant_images_give_a_file_that_runs(images: torch.Tensor) -> None:
    network = Small()
    made = to_int8(network, file_of(network), (images,), Choices())
    with torch.no_grad():
        wanted = network(images).numpy()
    assert np.abs(ran(made.flatbuffer, images) - wanted).max() < 0.1 * np.abs(wanted).max()


def test_a_network_whose_output_is_constant_gives_a_file_that_says_the_same() -> None:
    network = Small()
    nn.init.zeros_(network.head.weight)
    made = to_int8(network, file_of(network), (IMAGES,), Choices())
    wanted = network.head.bias.detach().numpy()
    assert np.abs(ran(made.flatbuffer) - wanted).max() < 0.02 * np.abs(wanted).max()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_images_that_are_not_finite_are_refused(value: float) -> None:
    network, images = Small(), IMAGES.clone()
    images[3, 1, 2, 2] = value
    with pytest.raises(EdgeError) as error:
        to_int8(network, file_of(network), (images,), Choices())
    assert error.value.code == "conversion.calibration"


def test_what_is_no_choice_is_refused_before_anything_is_converted() -> None:
    with pytest.raises(EdgeError, match=r"choices\.range is 'widest': expected 'min-max' or 'percentile'") as error:
        to_tflite(Small(), IMAGES, choices=Choices(range="widest"))
    assert error.value.code == "conversion.choices"
    with pytest.raises(EdgeError, match="route is 'by hand': expected 'auto'"):
        to_tflite(Small(), IMAGES, route="by hand")
