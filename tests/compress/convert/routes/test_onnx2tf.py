"""The route onnx2tf: ONNX, onnx2tf with operators of this project, TensorFlow's converter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.convert import graph
from compress.convert.proof import noise, prove
from compress.convert.routes import onnx2tf
from compress.convert.routes.onnx2tf import Onnx2tf
from compress.convert.routes.process import CACHE
from compress.convert.routes.route import Source
from edge.errors import EdgeError
from tests.compress.convert.networks import NETWORKS, SHAPES, Between, Call, build
from tests.compress.convert.routes.parents import ends_with_its_parent
from tests.compress.pruning.several import Several, inputs

converts = pytest.mark.train
pytestmark = pytest.mark.timeout(600)

# What the file of a network has; no other operator moves data.
WANTED = {
    "gelu-function": {"CONV_2D": 2, "GELU": 1},
    "group-norm": {"CONV_2D": 4, "MEAN": 2, "SUB": 1, "MUL": 3, "RSQRT": 1, "ADD": 1},
    "layer-norm-channels": {"CONV_2D": 2, "MEAN": 2, "SUB": 1, "MUL": 3, "RSQRT": 1, "ADD": 2},
    "max-pool-relu": {"CONV_2D": 2, "PAD": 1, "MAX_POOL_2D": 1},
    "transposed-3-norm": {"CONV_2D": 2, "TRANSPOSE_CONV": 1},
    "bilinear-corners": {"CONV_2D": 2, "RESIZE_BILINEAR": 1},
    "batch-norm-alone": {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 1},
}


class Fitted(nn.Module):
    """Axes in other orders than an image's, which are put back by products, sums, slices and choices."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.scale = nn.Conv2d(3, 8, 3, padding=1), nn.Parameter(torch.rand(8, 1, 1) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        rows = x.permute(0, 2, 1, 3)[:, 1:-1:2]  # (1, 3, 8, 8), of unequal axes in between
        turned = torch.cat([rows, rows.flip(3)[:, :1]], 1).transpose(1, 3)  # (1, 8, 8, 4)
        gates = torch.einsum("bchw,bcij->bhj", x, x).softmax(1).unsqueeze(1)  # (1, 1, 8, 8)
        chosen = x[:, [3, 0, 1]].mean(1, keepdim=True) - x.amax(1, keepdim=True)
        y = x * self.scale + gates * chosen + turned.sum((1, 3)).reshape(1, 1, 8, 1)
        return torch.stack([y, -y], 2).reshape(1, 16, 8, 8) ** 2


def small() -> Source:
    torch.manual_seed(0)
    return Source(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), (torch.zeros(1, 3, 8, 8),))


@converts
def test_all_networks_are_equal_to_pytorch_whatever_their_axes() -> None:
    names = [(name, "equal") for name in NETWORKS] + [(name, "unequal") for name in WANTED]
    sources = [Source(*build(name, SHAPES[shape])) for name, shape in names]
    sources.append(Source(Fitted().eval(), (torch.zeros(1, 3, 8, 8),)))
    made = list(Onnx2tf().convert(sources))
    wrong = {}
    for label, source, file in zip([*names, "orders of axes"], sources, made, strict=True):
        try:
            largest = prove(source.network, file.flatbuffer, noise(source.examples), "the file").largest
        except EdgeError as error:
            wrong[label] = str(error)
            continue
        if largest > 1e-4:
            wrong[label] = str(largest)
    assert not wrong
    for (name, shape), file in zip(names, made, strict=False):
        if name in WANTED:
            kinds = [operator.name for operator in graph.read(file.flatbuffer, name).operators]
            assert {kind: kinds.count(kind) for kind in set(kinds)} == WANTED[name], (name, shape)


@converts
def test_two_processes_make_the_same_bytes_with_the_users_names_and_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE, raising=False)
    several = Source(Several().eval(), inputs(1))
    first, one = Onnx2tf().convert([small(), several])
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    (again,) = Onnx2tf().convert([several])
    assert again.flatbuffer == one.flatbuffer
    assert first.seconds > 0
    assert prove(several.network, one.flatbuffer, noise(several.examples), "the file").largest < 1e-5
    made = graph.read(one.flatbuffer, "network")
    assert [(x.name, x.shape) for x in made.inputs] == [
        (f"image_{number:02}", tuple(x.permute(0, 2, 3, 1).shape if x.ndim == 4 else x.shape))
        for number, x in enumerate(inputs(1))
    ]
    assert [y.name for y in made.outputs] == ["logits_00", "logits_01"]
    alone = graph.read(first.flatbuffer, "network")
    assert [alone.inputs[0].name, alone.outputs[0].name] == ["image", "logits"]


@converts
@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: torch.special.bessel_j0(x), "ONNX export failed .*: expected operations that ONNX opset"),
        (lambda x: torch.det(x[:, :, :3, :3]), "route onnx2tf .*Det"),
        (lambda x: nn.functional.conv_transpose2d(x, torch.ones(3, 1, 2, 2), groups=3), "ConvTranspose of .* groups"),
    ],
)
def test_what_can_not_be_converted_is_named(function: Callable[[Tensor], Tensor], said: str) -> None:
    with pytest.raises(EdgeError, match=said) as raised:
        list(Onnx2tf().convert([Source(Call(function).eval(), (torch.zeros(1, 3, 4, 4),))]))
    assert raised.value.code == "conversion.operator"


def test_where_a_tool_is_missing_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx2tf, "_TOOLS", ("onnx2tf", "no_such_tool"))
    assert not Onnx2tf().is_installed()
    with pytest.raises(EdgeError, match=r"\(no no_such_tool\).*install them with `make") as raised:
        list(Onnx2tf().convert([small()]))
    assert raised.value.code == "conversion.missing"


@converts
def test_the_converter_ends_with_the_process_that_wanted_it_and_its_folder_goes(tmp_path: Path) -> None:
    ends_with_its_parent("compress.convert.routes.onnx2tf", "Onnx2tf", "onnx2tf_worker", tmp_path, 300)


def test_constants_are_computed_before_the_file_is_handed_over(tmp_path: Path) -> None:
    """Reshaping by a computed shape leaves no operator that reads a shape, and the same values."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    from compress.convert.onnx import export

    network = Call(lambda x: x.flatten(2).transpose(1, 2).reshape(x.shape[0], -1) * (x.shape[2] ** 0.5)).eval()
    x = torch.randn(1, 3, 4, 5)
    export(network, (x,), tmp_path / "network.onnx")
    model = onnx.load(str(tmp_path / "network.onnx"))
    assert {node.op_type for node in model.graph.node} <= {"Flatten", "Reshape", "Transpose", "Mul"}
    (found,) = ReferenceEvaluator(model).run(None, {"image": x.numpy()})
    np.testing.assert_allclose(found, network(x).numpy(), rtol=1e-6)


def test_a_layer_between_convolutions_is_really_between(tmp_path: Path) -> None:
    """The list of networks would prove nothing of a layer that is not run."""
    for name in NETWORKS:
        network, examples = build(name, SHAPES["equal"])
        assert isinstance(network, Between)
        calls: list[nn.Module] = []
        network.layer.register_forward_hook(lambda layer, given, made, calls=calls: calls.append(layer))
        network(*examples)
        assert calls == [network.layer]
