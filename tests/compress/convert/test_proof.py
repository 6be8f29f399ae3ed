"""The proof that a float32 file is the network: what passes, what does not, and what is said of it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from compress.convert.proof import LEAST_COSINE, MOST, noise, prove, reference
from edge.errors import EdgeError
from tests.compress.convert.own_route import Small, file_of

IMAGES = (torch.rand(4, 2, 8, 8, generator=torch.Generator().manual_seed(1)),)


def refused(network: nn.Module, flatbuffer: bytes, images: tuple[torch.Tensor, ...] = IMAGES) -> EdgeError:
    with pytest.raises(EdgeError) as error:
        prove(network, flatbuffer, images, "the file")
    return error.value


def test_a_file_of_the_network_is_equal() -> None:
    network = Small()
    proof = prove(network, file_of(network), IMAGES, "the file")
    assert 0 <= proof.largest < 1e-5 and proof.cosine > 1 - 1e-6


@pytest.mark.parametrize(("wrong", "kind"), [("first", "Conv2d"), ("second", "Conv2d"), ("head", "Linear")])
def test_the_layer_where_a_file_goes_wrong_is_named(wrong: str, kind: str) -> None:
    network = Small()
    error = refused(network, file_of(network, wrong))
    assert error.code == "conversion.differs"
    assert "the file is not the network: its outputs differ from PyTorch's by up to " in str(error)
    assert f"it begins at {wrong} ({kind}); write that layer with other operations, or name another route" in str(error)


@settings(max_examples=20, deadline=None)
@given(by=st.floats(-4, 1), sign=st.sampled_from([-1, 1]))
def test_what_is_told_is_the_largest_difference(by: float, sign: int) -> None:
    """The bias of the last layer moves every logit by as much, which the cosine around the means does not see."""
    network, moved = Small(), sign * 10**by
    share = abs(moved) / np.abs(reference(network, IMAGES)[0]).max()
    if share > 1.1 * MOST:
        error = refused(network, file_of(network, "head", moved))
        told = re.search(r"differ from PyTorch's by up to (\S+) of the largest one", str(error))
        assert told and float(told[1]) == pytest.approx(share, rel=0.06)  # two digits are told
    elif share < 0.9 * MOST:
        proof = prove(network, file_of(network, "head", moved), IMAGES, "the file")
        assert proof.largest == pytest.approx(share, abs=1e-5) and proof.cosine > LEAST_COSINE


def test_other_outputs_than_the_networks_are_refused() -> None:
    network = Small()
    error = refused(network, file_of(network, outputs=2))
    assert error.code == "conversion.differs" and "gives outputs of [(2,)], and PyTorch of [(3,)]" in str(error)


def test_a_file_that_litert_does_not_run_is_refused() -> None:
    network = Small()
    with pytest.raises(EdgeError):
        prove(network, file_of(network)[:200], IMAGES, "the file")
    other = Small(inputs=3)
    assert refused(network, file_of(other)).code != "conversion.finite"


def test_an_answer_that_is_not_finite_is_refused_on_either_side() -> None:
    network, broken = Small(), Small()
    with torch.no_grad():
        broken.head.bias[1] = float("nan")
    assert refused(broken, file_of(network)).code == "conversion.finite"
    assert "differ from PyTorch's by up to inf" in str(refused(network, file_of(broken)))


def test_a_network_whose_output_is_constant_is_proved_by_its_size_alone() -> None:
    network = Small()
    nn.init.zeros_(network.head.weight)
    assert prove(network, file_of(network), IMAGES, "the file").cosine == 1.0
    assert refused(network, file_of(network, "head")).code == "conversion.differs"
    nn.init.zeros_(network.head.bias)
    assert prove(network, file_of(network), IMAGES, "the file") == (0.0, 1.0)


@pytest.mark.parametrize("images", [torch.zeros(4, 2, 8, 8), torch.ones(1, 2, 8, 8)], ids=["constant", "one"])
def test_constant_images_and_one_image_prove_what_they_can(images: torch.Tensor) -> None:
    network = Small()
    assert prove(network, file_of(network), (images,), "the file").cosine == pytest.approx(1)
    assert refused(network, file_of(network, "second"), (images,)).code == "conversion.differs"


class Random(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x.flatten(1)[:, :3])  # which is training, whatever the network is


def test_a_network_that_answers_otherwise_each_time_is_named_as_such() -> None:
    error = refused(Random().eval(), file_of(Small()))
    assert error.code == "conversion.random" and "look for a dropout that does not end with eval()" in str(error)


@given(low=st.floats(-3, 3), width=st.floats(0.5, 5))
def test_noise_lies_where_images_do(low: float, width: float) -> None:
    image = torch.tensor([low, low + width]).reshape(1, 1, 1, 2).expand(1, 2, 8, 2)
    (first,), (again,) = noise((image,)), noise((image,))
    assert torch.equal(first, again) and first.shape == (4, 2, 8, 2)
    assert first.min() >= low - 1e-5 and first.max() <= low + width + 1e-5 and first.std() > 0.1 * width


def test_noise_around_nothing_is_normal() -> None:
    (found,) = noise((torch.zeros(1, 3, 32, 32),))
    assert abs(float(found.mean())) < 0.05 and abs(float(found.std()) - 1) < 0.05
