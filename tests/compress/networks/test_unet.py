from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
import torch

from compress.convert.model_file import operators
from compress.convert.tflite import to_tflite
from compress.cost import cost
from compress.inputs import inputs_of
from compress.networks.load import build_network
from compress.networks.unet import UNet, unet, unet_mini
from compress.recipe_parser import parse
from edge.errors import EdgeError


def test_the_docstring_says_what_it_costs() -> None:
    network = unet(1)
    said = re.search(r"([\d.]+) M parameters, ([\d.]+) G MACs at 256x256, logits at 128x128", unet.__doc__ or "")
    assert said
    spent = cost(network, inputs_of((3, 256, 256)))
    assert (f"{spent.parameters / 1e6:.1f}", f"{spent.macs / 1e9:.1f}") == said.groups()
    with torch.no_grad():
        assert network.eval()(torch.zeros(1, 3, 256, 256)).shape == (1, 1, 128, 128)


def by_hand(widths: tuple[int, ...], channels: int, side: int) -> tuple[int, int]:
    """Parameters and MACs, added up layer by layer from the paper's figure."""
    parameters = macs = 0

    def conv(inputs: int, outputs: int, side: int) -> None:
        nonlocal parameters, macs
        parameters += 9 * inputs * outputs + 2 * outputs  # the normalization's scale and shift; no bias
        macs += 9 * inputs * outputs * side**2

    conv(channels, widths[0], side // 2)
    for level, width in enumerate(widths):
        conv(widths[max(level - 1, 0)], width, side // 2 ** (level + 1))
        conv(width, width, side // 2 ** (level + 1))
    for level in range(len(widths) - 2, -1, -1):
        conv(widths[level + 1] + widths[level], widths[level], side // 2 ** (level + 1))
        conv(widths[level], widths[level], side // 2 ** (level + 1))
    return parameters + widths[0] + 1, macs + widths[0] * (side // 2) ** 2


@pytest.mark.parametrize("widths, channels", [((16, 32, 32), 3), ((8, 24), 1), ((8, 16, 24, 32), 3)])
def test_it_is_the_network_of_the_figure(widths: tuple[int, ...], channels: int) -> None:
    spent = cost(UNet(widths, 1, channels), inputs_of((channels, 64, 64)))
    assert (spent.parameters, spent.macs) == by_hand(widths, channels, 64)


@pytest.mark.parametrize("height, width, channels, classes", [(64, 64, 3, 1), (8, 24, 1, 1), (40, 56, 3, 2)])
def test_it_reads_any_multiple_of_its_coarsest_step(height: int, width: int, channels: int, classes: int) -> None:
    y = unet_mini(classes, channels).eval()(torch.randn(2, channels, height, width))
    assert y.shape == (2, classes, height // 2, width // 2)
    assert y.isfinite().all()


def test_every_weight_takes_part() -> None:
    torch.manual_seed(0)
    network = unet_mini(1)
    network(torch.randn(2, 3, 32, 32)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_it_begins_undecided() -> None:
    torch.manual_seed(0)
    assert unet_mini(1).eval()(torch.randn(1, 3, 64, 64)).abs().max() < 1


def recipe(side: int) -> dict[str, Any]:
    return {
        "name": "own",
        "title": "A recipe",
        "task": "segmentation",
        "network": "compress.networks.unet:unet_mini",
        "input": {"height": side, "width": side},
        "data": {"positive": "polyp"},
        "steps": [{"kind": "train", "epochs": 1}],
    }


def test_another_size_is_refused_when_a_run_begins() -> None:
    build_network(parse(recipe(64), "recipe.toml"), 1)
    with pytest.raises(EdgeError, match=r"unet_mini fails for 1 classes and input \(2, 3, 60, 60\)"):
        build_network(parse(recipe(60), "recipe.toml"), 1)


def test_full_integer_tflite_keeps_it_whole() -> None:
    torch.manual_seed(0)
    network = unet_mini(1)
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = operators(to_tflite(network, images))
    assert found == Counter(CONV_2D=12, MAX_POOL_2D=2, RESIZE_BILINEAR=2, CONCATENATION=2)
