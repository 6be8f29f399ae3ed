"""Layers written otherwise: equal values, in PyTorch, and what is no longer in the graph."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from compress.convert import repairs
from compress.convert.repairs import repaired
from edge.errors import EdgeError
from tests.compress.convert.networks import NETWORKS, SHAPES, Call, build

few = settings(max_examples=30, deadline=None)
small = st.integers(1, 9)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def differs(function: Callable[[Tensor], Tensor], *shape: int) -> float:
    """The largest difference between a function and what it is written as, on values of other seeds."""
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        expected, found = function(x), repaired(Call(function), "onnx2tf", (x,))(x)
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-6))


def called(function: Callable[[Tensor], Tensor], *shape: int) -> list[str]:
    """The operators that a function consists of once it is written otherwise."""
    x = torch.randn(*shape)
    network = repaired(function if isinstance(function, nn.Module) else Call(function), "onnx2tf", (x,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # shapes become numbers
        trace = torch.jit.trace(network, (x,), check_trace=False)
    return [node.kind().removeprefix("aten::") for node in trace.inlined_graph.nodes()]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_keeps_its_outputs_its_modules_and_itself(name: str, shape: str) -> None:
    network, examples = build(name, SHAPES[shape])
    before = [path for path, _ in network.named_modules()]
    copy = repaired(network, "onnx2tf", examples)
    assert [path for path, _ in copy.named_modules()] == before
    x = torch.randn(examples[0].shape, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        torch.testing.assert_close(copy(x), network(x), rtol=1e-4, atol=1e-5)
    assert "forward" not in vars(network)


@few
@given(
    height=small,
    width=small,
    kernel=st.integers(1, 5),
    step=st.integers(1, 4),
    pad=st.integers(0, 2),
    ceil=st.booleans(),
)
def test_padded_maxima(height: int, width: int, kernel: int, step: int, pad: int, ceil: bool) -> None:
    """Behind a ReLU and on values that are all negative, where a zero would be the largest."""
    assume(pad <= kernel // 2 and min(height, width) + 2 * pad >= kernel)

    def negative(x: Tensor) -> Tensor:
        return F.max_pool2d(x - 9, kernel, step, pad, ceil_mode=ceil)

    def positive(x: Tensor) -> Tensor:
        return F.max_pool2d(F.relu(x), kernel, step, pad, ceil_mode=ceil)

    assert differs(negative, 1, 2, height, width) == 0
    assert differs(positive, 1, 2, height, width) == 0


def test_what_was_changed_since_the_relu_is_not_padded_by_zeros() -> None:
    assert differs(lambda x: F.max_pool2d(F.relu(x).sub_(5), 3, 2, 1), 1, 2, 8, 8) == 0
    assert differs(lambda x: F.max_pool2d(F.max_pool2d(F.relu(x), 3, 2, 1), 3, 1, 1), 1, 2, 8, 8) == 0


def test_padded_maxima_take_one_padding_behind_a_relu() -> None:
    behind = called(lambda x: F.max_pool2d(F.relu(x), 3, 2, 1), 1, 2, 8, 8)
    assert [kind for kind in behind if kind in ("pad", "constant_pad_nd", "cat")] in (["pad"], ["constant_pad_nd"])
    assert "cat" in called(lambda x: F.max_pool2d(x, 3, 2, 1), 1, 2, 8, 8)


@few
@given(height=small, width=small, rows=small, columns=small)
def test_adaptive_pooling(height: int, width: int, rows: int, columns: int) -> None:
    size = (rows, columns)
    assert differs(lambda x: F.adaptive_avg_pool2d(x, size), 1, 2, height, width) < 1e-5
    assert differs(lambda x: F.adaptive_max_pool2d(x, size), 1, 2, height, width) == 0


@few
@given(
    height=st.integers(2, 9),
    width=st.integers(2, 9),
    by=st.sampled_from([0.5, 1.5, 1.7, 2.0, 2.3]),
    mode=st.sampled_from(["nearest", "bilinear", "bicubic", "area"]),
    corners=st.booleans(),
    kept=st.booleans(),
)
def test_resampling(height: int, width: int, by: float, mode: str, corners: bool, kept: bool) -> None:
    def resample(x: Tensor) -> Tensor:
        aligned = corners if mode.startswith("bi") else None
        return F.interpolate(x, scale_factor=by, mode=mode, align_corners=aligned, recompute_scale_factor=not kept)

    assert differs(resample, 1, 2, height, width) < 1e-5
    size = (width, height)  # the other way about
    assert differs(lambda x: F.interpolate(x, size=size, mode=mode), 1, 2, height, width) < 1e-5


def test_smoothed_resampling_is_a_product_of_matrices() -> None:
    def smoothed(x: Tensor) -> Tensor:
        return F.interpolate(x, size=(5, 4), mode="bilinear", antialias=True)

    assert differs(smoothed, 1, 2, 9, 12) < 1e-5
    assert called(smoothed, 1, 2, 9, 12).count("matmul") == 2


@few
@given(
    size=st.integers(2, 6),
    kernel=st.integers(1, 4),
    step=st.integers(1, 3),
    pad=st.integers(0, 2),
    more=st.integers(0, 2),
    groups=st.sampled_from([1, 2]),
    bias=st.booleans(),
)
def test_transposed_convolutions_with_a_normalization(
    size: int, kernel: int, step: int, pad: int, more: int, groups: int, bias: bool
) -> None:
    assume(more < step and (size - 1) * step - 2 * pad + kernel + more > 0)
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(4, 4, kernel, step, pad, more, groups=groups, bias=bias).eval()
    norm = nn.BatchNorm2d(4).eval()
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert tensor is not None
        tensor.data.uniform_(0.5, 1.5)
    assert differs(lambda x: norm(layer(x)), 1, 4, size, size) < 1e-5
    assert differs(lambda x: norm(layer(x).mul_(2)), 1, 4, size, size) < 1e-5  # changed in place in between


def test_a_normalization_goes_into_the_transposed_convolution_in_front() -> None:
    layer, norm = nn.ConvTranspose2d(4, 4, 3, 2, 1, 1).eval(), nn.BatchNorm2d(4).eval()
    kinds = called(nn.Sequential(layer, norm), 1, 4, 5, 5)
    assert "batch_norm" not in kinds


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_normalizations_of_groups(groups: int) -> None:
    assert differs(lambda x: F.group_norm(x + 3, groups), 2, 8, 5, 6) < 1e-4
    assert not {"reshape", "view"} & set(called(lambda x: F.group_norm(x, groups), 1, 8, 5, 6))


def test_a_network_that_depends_on_chance_is_refused() -> None:
    with pytest.raises(EdgeError, match=r"written otherwise for the route litert .* differs by") as raised:
        repaired(Call(torch.rand_like), "litert", (torch.zeros(1, 3, 4, 4),))
    assert raised.value.code == "conversion.repair"


def test_a_wrong_replacement_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {F.group_norm: lambda constants, x, *others, **named: x + 1}
    monkeypatch.setattr(repairs, "_REPLACEMENTS", wrong)
    with pytest.raises(EdgeError, match=r"written otherwise for the route onnx2tf \(group_norm\) differs by"):
        repaired(nn.GroupNorm(2, 4), "onnx2tf", (torch.zeros(1, 4, 4, 4),))
