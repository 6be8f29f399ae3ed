"""The Python interface: docs/python.md as it stands, what is refused, and what stays as it was."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import compress
from compress.recipe_parser import parse
from compress.report import tensors
from compress.run import Run
from compress.tasks.own import customized, identity
from edge.errors import EdgeError
from edge.model import read
from tests.compress.conftest import environment
from tests.compress.pruning.several import Several, inputs

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
SPEC = compress.Input(16, 16, "grey", channels=1)
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def pairs(count: int = 12) -> list[tuple[torch.Tensor, int]]:
    generator = torch.Generator().manual_seed(0)
    return [(torch.rand(1, 16, 16, generator=generator), n % 2) for n in range(count)]


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2)
    )


@pytest.fixture(scope="module")
def data() -> compress.DataSet:
    return compress.load_data(pairs(), SPEC, labels=["a", "b"], validation=0.34)


@pytest.mark.train
@pytest.mark.timeout(600)
def test_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    assert len(BLOCKS) >= 8
    (tmp_path / "page.py").write_text("\n\n".join(BLOCKS))
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, env=environment(), text=True, capture_output=True, timeout=590
    )
    assert done.returncode == 0, done.stderr
    assert "prune" in done.stdout and re.search(r"^int8 +.*(onnx2tf|litert)", done.stdout, re.MULTILINE)
    assert [row.type for row in tensors.read(read(tmp_path / "discs.tflite"))].count("int8") > 4


@pytest.mark.parametrize("name", compress.__all__)
def test_each_name_is_on_the_page_and_says_what_it_is(name: str) -> None:
    assert getattr(compress, name).__doc__
    assert re.search(rf"\b{name}\b", PAGE.read_text(encoding="utf-8"))


def test_the_package_starts_lightly_and_modules_do_not_hide_its_functions() -> None:
    script = (
        "import sys, time; begun = time.process_time(); import compress; spent = time.process_time() - begun\n"
        "assert spent < 0.1, spent\n"
        "assert not {'torch', 'numpy', 'compress.api'} & set(sys.modules)\n"
        "import compress.run, compress.convert.tflite\n"
        "from compress.cost import cost\n"
        "assert compress.cost is cost and callable(compress.run) and callable(compress.convert)\n"
        "assert sys.modules['compress.run'].Run\n"
        "assert 'prune' in dir(compress) and not hasattr(compress, 'mend')\n"
    )
    subprocess.run([sys.executable, "-c", script], env=environment(), check=True, timeout=100)


def test_networks_stay_as_they_were(data: compress.DataSet) -> None:
    network = small()
    before, tensors = copy.deepcopy(network), network.state_dict()
    image = torch.zeros(1, 1, 16, 16)
    pruned = compress.prune(network, image, ratios={"0": 0.5})
    ghosted = compress.ghost(network, image, layers=["0"], init="random")
    trained = compress.train(network, data, epochs=1, batch=4)
    distilled = compress.distill(pruned, network, data, epochs=1, batch=4)
    for made in (pruned, ghosted, trained, distilled):
        assert made is not network and not made.training
    assert pruned[0].out_channels == distilled[0].out_channels == 8
    assert network.training and {*tensors} == {*before.state_dict()}
    for name, tensor in before.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], tensor, rtol=0, atol=0)
    assert not torch.equal(trained[0].weight, network[0].weight)


def test_a_network_of_several_inputs() -> None:
    whole = compress.cost(Several(), inputs())
    left = compress.cost(compress.prune(Several(), inputs(), macs=0.5), inputs())
    assert left.macs <= 0.5 * whole.macs
    batch = tuple(x.repeat(8, *[1] * (x.ndim - 1)) for x in inputs())
    ghosted = compress.ghost(Several(), batch, layers=["free"])
    assert compress.cost(ghosted, inputs()).parameters < whole.parameters


def test_criteria_loss_and_metric_of_ones_own(data: compress.DataSet) -> None:
    image = torch.zeros(1, 1, 16, 16)

    def last_go(group: object) -> torch.Tensor:
        return -torch.arange(16.0)

    network = small()
    pruned = compress.prune(network, image, ratios={"0": 0.5}, criterion=last_go)
    torch.testing.assert_close(pruned[0].weight, network[0].weight[:8])

    seen: list[torch.Size] = []

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append(outputs.shape)
        return nn.functional.cross_entropy(outputs, targets, reduction="none")

    compress.prune(network, image, macs=0.2, criterion="taylor", data=data, loss=loss, samples=4)
    assert seen == [(4, 2)]
    scores: list[float] = []

    def spread(outputs: np.ndarray, targets: np.ndarray) -> float:
        scores.append(float(np.ptp(outputs)))
        return scores[-1]

    lines: list[str] = []
    compress.train(network, data, epochs=2, batch=4, loss=loss, metric=spread, progress=lines.append)
    assert len(seen) > 3 and len(scores) == 2
    assert f"validation spread {scores[1]:.4f}" in "".join(lines)
    assert compress.evaluate(network, data, metric=lambda outputs, targets: len(targets)) == len(data.test)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda n, d: compress.train(n, d, epochs=1, rate=3), "training has no setting rate: expected some of lr"),
        (lambda n, d: compress.train(n, d, epochs=0), "epochs is 0: expected 1 or more"),
        (lambda n, d: compress.train(n, d, epochs=1, augment={"turn": 3}), "augment is .*turn"),
        (lambda n, d: compress.train(n, d, epochs=1, loss=nn.CrossEntropyLoss()), r"is \(\): expected a tensor \(8,\)"),
        (
            lambda n, d: compress.train(n, d, epochs=1, smoothing=0.1, loss=lambda y, t: y[:, 0]),
            "smoothing is 0.1 with a loss of your own: expected 0",
        ),
        (lambda n, d: compress.distill(n, n, d, epochs=1, share=0), "share is 0: expected a share"),
        (lambda n, d: compress.distill(n, n, d, epochs=1, temperature=0), "temperature is 0: expected 0.1 to 100"),
        (lambda n, d: compress.prune(n, (3, "x"), macs=0.1), r"example inputs are \(int, str\): expected one tensor"),
        (lambda n, d: compress.prune(n, torch.zeros(1, 1, 16, 16), macs=2), "macs is 2: expected a share from 0"),
        (lambda n, d: compress.prune(n, torch.zeros(1, 1, 9, 9), macs=0.1, criterion="taylor"), "found none"),
        (lambda n, d: compress.ghost(n, torch.zeros(1, 1, 9, 9), layers=["9"]), "matches no convolution"),
        (lambda n, d: compress.ghost(n, torch.zeros(1, 1, 9, 9), layers=["0"], init="x"), "init is 'x'"),
        (lambda n, d: compress.evaluate(n, d, part="train"), "part is 'train': expected 'val' or 'test'"),
        (lambda n, d: compress.evaluate(n, d, metric=lambda y, t: float("nan")), "the metric is nan"),
        (lambda n, d: compress.evaluate("nothing.tflite", d), "nothing.tflite"),
        (lambda n, d: compress.convert(n, d, "x.tflite", type="int4"), "type is 'int4': expected 'float32' or 'int8'"),
        (lambda n, d: compress.load_data(pairs(), SPEC), "no names of its labels"),
        (lambda n, d: compress.load_data(pairs(), SPEC, task="none", labels=["a"]), "task is 'none'"),
        (lambda n, d: compress.run("nothing", data=d, output="x"), "there is no recipe 'nothing'"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(action: object, message: str, data: compress.DataSet) -> None:
    with pytest.raises(EdgeError, match=message):
        action(small(), data)  # type: ignore[operator]


RECIPE = {
    "name": "own",
    "title": "Own",
    "network": "tests.compress.own_network:build",
    "input": {"height": 16, "width": 16, "color": "grey", "channels": 1},
    "steps": [{"kind": "train", "epochs": 1, "batch": 4}],
}


def test_a_mapping_is_checked_like_a_file(data: compress.DataSet, tmp_path: Path) -> None:
    for key, wrong in (("title", 3), ("steps", []), ("steps", [{"kind": "prune", "criterion": 3, "macs": 0.5}])):
        with pytest.raises(EdgeError, match=rf"{key}.*expected"):
            compress.run(RECIPE | {key: wrong}, data=data, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_loss_does_not_take_what_one_left(data: compress.DataSet, tmp_path: Path) -> None:
    def keys(loss: object) -> set[Path]:
        task = customized(data.task, loss, None)  # type: ignore[arg-type,type-var]
        own = replace(data, task=task)
        Run(parse(RECIPE, "recipe"), own, tmp_path, print, print, task=task).compress()  # type: ignore[arg-type]
        return set((tmp_path / "checkpoints").glob("*.pt"))

    def plain(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs, targets, reduction="none")

    def twice(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return 2 * nn.functional.cross_entropy(outputs, targets, reduction="none")

    none, one = keys(None), keys(plain)
    assert (len(none), len(one), len(keys(plain)), len(keys(twice))) == (2, 4, 4, 6)
    weighted = nn.CrossEntropyLoss(reduction="none"), nn.CrossEntropyLoss(reduction="none", label_smoothing=0.1)
    assert len({identity(what) for what in (None, plain, twice, *weighted)}) == 5
    assert identity(plain) == identity(plain)


def test_weights_of_classes_multiply_a_loss_of_ones_own(data: compress.DataSet) -> None:
    task = customized(data.task, lambda outputs, targets: outputs[:, 0], None)
    outputs, weight = torch.tensor([[1.0, 0], [2, 0], [3, 0]]), torch.tensor([10.0, 100])
    found = task.losses(outputs, torch.tensor([0, 1, 0]), 0.0, weight)
    assert found.tolist() == [10, 200, 30]


STRICT = """
import torch
from torch import nn

import compress

net: nn.Module = nn.Sequential(nn.Conv2d(1, 16, 3))
x = torch.zeros(1, 1, 9, 9)
small: nn.Module = compress.prune(net, x, macs=0.5)
spent: int = compress.cost(small, (x,)).macs
data: compress.DataSet = compress.load_data("folder", compress.Input(9, 9, "grey", channels=1))
score: float = compress.evaluate(compress.distill(small, net, data, epochs=1), data, metric=lambda y, t: float(y.sum()))
rows: list[compress.Row] = []
result: compress.Result = compress.run({"name": "x"}, data=[(x, 0)], output="out", network=small, on_row=rows.append)
"""


@pytest.mark.compile
@pytest.mark.timeout(300)
def test_a_strictly_typed_program_may_use_it(tmp_path: Path) -> None:
    (tmp_path / "strict.py").write_text(STRICT)
    (tmp_path / "wrong.py").write_text(STRICT + "compress.prune(net, x, share=0.5)\nspent = small\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--ignore-missing-imports"]
    command += ["--config-file=", f"--cache-dir={tmp_path / 'cache'}"]
    found = {}
    for name in ("strict.py", "wrong.py"):
        done = subprocess.run([*command, name], cwd=tmp_path, env=environment(), text=True, capture_output=True)
        found[name] = [line for line in done.stdout.splitlines() if line.startswith(name) and " error: " in line]
    assert found["strict.py"] == []
    assert len(found["wrong.py"]) == 2


def test_images_of_every_kind_are_read_alike() -> None:
    values = np.random.default_rng(0).integers(0, 256, (12, 16, 16), np.uint8)
    kinds = (
        lambda image: image,
        lambda image: image[:, :, None],
        lambda image: Image.fromarray(image),
        lambda image: torch.from_numpy(image),
        lambda image: torch.from_numpy(image)[None],
        lambda image: torch.from_numpy(image)[None].float() / 255,
        lambda image: image.astype(np.float64) / 255,
        lambda image: Image.fromarray(image).convert("RGB"),
    )
    digests = set()
    for kind in kinds:
        items = [(kind(image), np.int64(n % 2)) for n, image in enumerate(values)]
        made = compress.load_data(items, SPEC, labels=["a", "b"])
        np.testing.assert_array_equal(made.train.pixels[0, :, :, 0], values[int(made.train.names[0][-6:])])
        digests.add(made.summary["digest"])
    assert len(digests) == 1
