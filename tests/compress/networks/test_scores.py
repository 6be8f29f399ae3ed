"""A network whose outputs are scores is refused before its training; one that ends in logits never is."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compress.inputs import inputs_of
from compress.networks.load import build_network
from compress.networks.scores import check_logits
from compress.recipe_parser import load
from compress.state.rehearsal import rehearse
from compress.state.stage import example_inputs
from compress.steps.train import Training
from edge.errors import EdgeError
from edge.preprocess import Preprocessing

SHAPE = (3, 16, 16)
Last = Callable[[Tensor], Tensor]


class Classifier(nn.Module):
    def __init__(self, last: Last, classes: int = 3, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1)
        )
        self.head = nn.Linear(8, classes)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.head(self.body(x)))


class Segmentation(nn.Module):
    def __init__(self, last: Last, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.ReLU(), nn.Conv2d(8, 1, 1))
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(x))


def by_hand(z: Tensor) -> Tensor:
    e = torch.exp(z - z.amax(1, keepdim=True))
    return e / e.sum(1, keepdim=True)


def sigmoid_by_hand(z: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-z.clamp(-30, 30)))


def of_one(z: Tensor) -> Tensor:
    p = torch.sigmoid(z[:, :1])
    return torch.cat([1 - p, p], 1)


def averaged(z: Tensor) -> Tensor:
    return torch.stack([z.softmax(1), (2 * z).softmax(1)]).mean(0)


SCORES: dict[str, Last] = {
    "nn.Softmax": nn.Softmax(dim=1),
    "F.softmax": lambda z: F.softmax(z, dim=1),
    "a method, then a view": lambda z: z.softmax(1).view(z.shape[0], -1).float(),
    "nn.LogSoftmax": nn.LogSoftmax(dim=1),
    "log of softmax": lambda z: torch.log(z.softmax(1)),
    "sigmoids": torch.sigmoid,
    "hard sigmoids": nn.Hardsigmoid(),
    "by hand": by_hand,
    "two of one sigmoid": of_one,
    "clamped": lambda z: z.softmax(1).clamp(1e-6, 1 - 1e-6),
    "mean of two": averaged,
    "a sigmoid each by hand": sigmoid_by_hand,
    "a tanh each": lambda z: (torch.tanh(z) + 1) / 2,
    "one less a sigmoid": lambda z: 1 - torch.sigmoid(z),
    "a hard sigmoid by hand": lambda z: F.relu6(z + 3) / 6,
    "shares of a ReLU": lambda z: F.relu(z) / (F.relu(z).sum(1, keepdim=True) + 1e-8),
    "softmax and a little": lambda z: z.softmax(1) + 1e-7,
}
MASKS: dict[str, Last] = {
    "nn.Sigmoid": nn.Sigmoid(),
    "then larger": lambda z: F.interpolate(torch.sigmoid(z), scale_factor=2, mode="bilinear"),
    "logsigmoid": F.logsigmoid,
    "by hand": sigmoid_by_hand,
    "softmax of two": lambda z: torch.softmax(torch.cat([z, -z], 1), 1)[:, :1],
}


@pytest.mark.parametrize("name", SCORES)
def test_a_classifier_of_scores_is_refused(name: str) -> None:
    with pytest.raises(EdgeError, match=r"outputs are scores: expected logits.*take its last activation out"):
        check_logits(Classifier(SCORES[name], 2 if "one" in name else 3), inputs_of(SHAPE))


@pytest.mark.parametrize("name", MASKS)
def test_a_segmentation_of_scores_is_refused(name: str) -> None:
    with pytest.raises(EdgeError, match="outputs are scores: expected logits"):
        check_logits(Segmentation(MASKS[name]), inputs_of(SHAPE))


class OnlyInEvaluation(Classifier):
    def forward(self, x: Tensor) -> Tensor:
        z = self.head(self.body(x))
        return z if self.training else z.softmax(1)


class OnlyInTraining(Classifier):
    def forward(self, x: Tensor) -> Tensor:
        z = self.head(self.body(x))
        return z.softmax(1) if self.training else z


@pytest.mark.parametrize("network", [OnlyInEvaluation, OnlyInTraining])
def test_both_modes_are_looked_at(network: type[Classifier]) -> None:
    with pytest.raises(EdgeError, match="ends in a softmax"):
        check_logits(network(nn.Identity()), inputs_of(SHAPE))


class Gated(nn.Module):
    """Sigmoids and a softmax inside, and an input that is changed in place."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = nn.ReLU(inplace=True)
        self.conv, self.gate, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.begin(x)).mean((2, 3))
        return self.head(x * torch.sigmoid(self.gate(x)) + x.softmax(1))


def zeros(network: nn.Module) -> nn.Module:
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    return network


def halves(network: Classifier) -> Classifier:
    """Its outputs lie in 0..1 and add up to 1, as far as its first weights go."""
    nn.init.normal_(network.head.weight, 0, 1e-6)
    nn.init.constant_(network.head.bias, 1 / network.head.out_features)
    return network


def tiny(network: Classifier) -> Classifier:
    nn.init.normal_(network.head.weight, 0, 1e-4)
    return network


@pytest.mark.parametrize("seed", range(30))
def test_logits_are_never_refused_by_chance(seed: int) -> None:
    for classes in (2, 10):
        check_logits(Classifier(nn.Identity(), classes, seed), inputs_of(SHAPE))
        check_logits(Classifier(nn.ReLU(), classes, seed), inputs_of(SHAPE))
        check_logits(tiny(Classifier(nn.ReLU(), classes, seed)), inputs_of(SHAPE))
    check_logits(Segmentation(nn.Identity(), seed), inputs_of(SHAPE))
    check_logits(Segmentation(nn.ReLU(), seed), inputs_of(SHAPE))


def test_strange_networks_of_logits_pass() -> None:
    check_logits(Gated(), inputs_of(SHAPE))
    check_logits(zeros(Classifier(nn.Identity())), inputs_of(SHAPE))
    check_logits(halves(Classifier(nn.Identity())), inputs_of(SHAPE))
    check_logits(halves(Classifier(nn.Identity(), 2)), inputs_of(SHAPE))
    check_logits(Classifier(nn.Tanh()), inputs_of(SHAPE))
    check_logits(Segmentation(lambda z: F.interpolate(z, scale_factor=2)), inputs_of(SHAPE))


def test_the_network_stays_as_it_was() -> None:
    network = Classifier(nn.Identity()).train()
    before = copy.deepcopy(network.state_dict())
    check_logits(network, inputs_of(SHAPE))
    assert network.training and all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_rehearsal_refuses_it() -> None:
    with pytest.raises(EdgeError, match="ends in a softmax"):
        rehearse(Classifier(nn.Softmax(dim=1)), [Training(epochs=1)], Preprocessing(*SHAPE[1:]))


@pytest.mark.parametrize("name", ["phantom", "bpcp", "sfp-resnet56", "polyp"])
def test_shipped_recipes_end_in_logits(name: str) -> None:
    recipe = load(name)
    network = build_network(recipe, 1 if recipe.task == "segmentation" else 10)
    check_logits(network, example_inputs(recipe.input))
