"""A criterion of one's own is one function, from a recipe or from Python: of weights alone, or of examples, too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from compress.inputs import inputs_of
from compress.networks.load import build_network
from compress.pruning.channels import prune
from compress.pruning.criteria import CRITERIA, named
from compress.pruning.settings import Pruning
from compress.pruning.taylor import Batches, Examples
from compress.recipe_parser import load
from compress.run import Run
from compress.state.rehearsal import rehearse
from compress.steps.prune import ChannelPruning
from compress.steps.step import described, samples
from edge.errors import EdgeError
from tests.compress.conftest import HEAD, HERE
from tests.compress.pruning.networks import SHAPE, build
from tests.compress.steps.test_registry import SPEC

OWN = '''
import torch


def first(group):
    """The first channels are the weakest."""
    return torch.arange(len(group[0].idxs), dtype=torch.float32)


def last(group, across, generator):
    assert isinstance(across, bool) and isinstance(generator, torch.Generator)
    return -torch.arange(len(group[0].idxs))  # of whole numbers


def loudest(group, examples):
    """The channels go that answer with the largest numbers to the examples' images."""
    assert examples.images.shape == (5, 3, 48, 48) and len(examples.targets) == 5
    assert examples.loss(examples.network(examples.images), examples.targets).shape == (5,)
    seen = []
    hook = group[0].dep.target.module.register_forward_hook(lambda module, x, y: seen.append(y))
    with torch.no_grad():
        examples.network(examples.images)
    hook.remove()
    return -seen[0].abs().mean((0, 2, 3))


def wide(group):
    return torch.ones(len(group[0].idxs) + 1)


def listed(group):
    return [0.0] * len(group[0].idxs)


def unclear(group):
    return torch.full((len(group[0].idxs),), float("nan"))


def broken(group):
    raise KeyError("no such layer")


def greedy(group, network, shape=3):
    return None


def lonely():
    return None


number = 3
'''
STEP = """
[[steps]]
kind = "prune"
criterion = "own_criteria:{}"
ratios = {{ "features.0" = 0.5 }}
samples = 5
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("own_criteria", "own_network"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "own_criteria.py").write_text(OWN)
    (tmp_path / "own_network.py").write_text((HERE / "own_network.py").read_text())
    yield tmp_path
    for name in ("own_criteria", "own_network"):
        sys.modules.pop(name, None)


def run_of(folder: Path, data: Path, criterion: str) -> Run:
    (folder / "recipe.toml").write_text(HEAD + STEP.format(criterion))
    return Run(load(str(folder / "recipe.toml")), data, folder / "out", lambda text: None, lambda text: None)


@pytest.mark.parametrize("name, kept", [("first", slice(8, 16)), ("last", slice(0, 8))])
def test_a_recipe_names_a_function_of_the_weights(name: str, kept: slice, folder: Path, phantoms: Path) -> None:
    run = run_of(folder, phantoms, name)
    before, after = (state.network for state in run.compress())
    assert torch.equal(after.features[0].weight, before.features[0].weight[kept])
    assert torch.equal(after.features[2].weight, before.features[2].weight[:, kept])
    assert run.ledger.rows[-1].detail == f"own_criteria:{name}, 50%"
    assert described(run.recipe.steps[0])["criterion"] == f"own_criteria:{name}"


def test_a_recipe_names_a_function_that_asks_for_examples(folder: Path, phantoms: Path) -> None:
    run = run_of(folder, phantoms, "loudest")
    before, after = (state.network for state in run.compress())
    with torch.no_grad():
        answers = before.features[0](samples(run.data, run._begin().spec, 5)).abs().mean((0, 2, 3))
    kept = answers.argsort()[:8].sort().values
    assert torch.equal(after.features[0].weight, before.features[0].weight[kept])


WRONG = [
    ("wide", r"criterion 'own_criteria:wide' gives a tensor of shape \(17,\): expected a tensor of shape \(16,\)"),
    ("listed", r"criterion 'own_criteria:listed' gives a list: expected a tensor of shape \(16,\)"),
    ("unclear", r"criterion 'own_criteria:unclear' gives scores that are not finite"),
    ("broken", r"criterion 'own_criteria:broken' fails \(KeyError: 'no such layer'\).*correct the function"),
]


@pytest.mark.parametrize("name, message", WRONG, ids=[row[0] for row in WRONG])
def test_scores_that_are_none_are_refused(name: str, message: str, folder: Path, phantoms: Path) -> None:
    run = run_of(folder, phantoms, name)
    with pytest.raises(EdgeError, match=f"step 1, prune: {message}"):
        run.compress()
    if name != "unclear":  # what scores are worth shows after the training only
        with pytest.raises(EdgeError, match=f"step 1, prune: {message}"):
            rehearse(run._begin().network, run.recipe.steps, SPEC)
    else:
        rehearse(run._begin().network, run.recipe.steps, SPEC)


NAMES = [
    ("frist", r"'own_criteria:frist': expected a function that can be imported \(AttributeError: "),
    ("number", r"expected a function of a group of channels, and not a int"),
    ("greedy", r"asks for nothing but examples, across, generator, and not for network; correct it"),
    ("lonely", r"expected a function of a group of channels that asks for nothing but examples, across, generator"),
]


@pytest.mark.parametrize("name, message", NAMES, ids=[row[0] for row in NAMES])
def test_what_is_no_criterion_is_refused_with_the_recipe(name: str, message: str, folder: Path, phantoms: Path) -> None:
    with pytest.raises(EdgeError, match=rf"recipe\.toml: steps\[1\]\.criterion is .*{message}"):
        run_of(folder, phantoms, name)


SOFT = """
[[steps]]
kind = "soft-prune"
epochs = 1
criterion = "own_criteria:first"
ratios = { "features.0" = 0.5 }
"""


def test_soft_pruning_takes_one_that_asks_for_no_examples(folder: Path) -> None:
    recipe = folder / "recipe.toml"
    recipe.write_text(HEAD + SOFT)
    loaded = load(str(recipe))
    rehearse(build_network(loaded, 2), loaded.steps, SPEC)
    recipe.write_text(HEAD + SOFT.replace("first", "loudest"))
    with pytest.raises(EdgeError, match=r"'own_criteria:loudest': expected one of l2-norm, fpgm, or one's own"):
        load(str(recipe))


def weakest_first(group: Any) -> Tensor:
    return torch.arange(len(group[0].idxs)).float()


def test_from_python_it_is_any_function() -> None:
    network = build("residual")
    before = network.last.weight.detach().clone()
    prune(network, Pruning({"last": 0.5}, weakest_first, 4), inputs_of(SHAPE))
    assert torch.equal(network.last.weight, before[len(before) // 2 :])
    step = ChannelPruning({"last": 0.5}, weakest_first)
    assert step.detail == "weakest_first, 50%"
    assert described(step)["criterion"] == f"{__name__}:weakest_first"


def test_from_python_examples_need_images_only() -> None:
    seen: list[Batches] = []

    def watching(group: Any, examples: Batches) -> Tensor:
        seen.append(examples)
        return examples.contributions(group).abs().mean(0)

    images = torch.randn(6, *SHAPE)
    settings = Pruning(criterion=watching, macs=0.3, samples=4)
    prune(build("residual"), settings, inputs_of(SHAPE), Examples(images))
    assert torch.equal(seen[0].images, images[:4]) and seen[0].targets is None
    with pytest.raises(EdgeError, match=r"criterion '.*watching' looks at images and found none"):
        prune(build("residual"), settings, inputs_of(SHAPE))


def test_across_says_whether_layers_are_ranked_together() -> None:
    said: set[bool] = set()

    def watching(group: Any, across: bool) -> Tensor:
        said.add(across)
        return torch.ones(len(group[0].idxs))

    settings = Pruning(criterion=watching, macs=0.3)
    prune(build("residual"), settings, inputs_of(SHAPE))
    assert said == {True}
    prune(build("residual"), replace(settings, ratios={"last": 0.5}, macs=0.0), inputs_of(SHAPE))
    assert said == {True, False}


def test_each_of_ours_is_one_entry_that_says_what_it_asks_for() -> None:
    asks = {name: sorted(criterion.asks) for name, criterion in CRITERIA.items()}
    assert asks == {
        "bn-scale": ["across"],
        "l2-norm": [],
        "fpgm": [],
        "taylor": ["examples"],
        "taylor-abs": ["examples"],
        "taylor-sq": ["examples"],
        "random": ["generator"],
    }
    with pytest.raises(EdgeError, match="did you mean 'taylor-abs'"):
        named("tailor-abs")
