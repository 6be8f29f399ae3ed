"""What of a step enters its key: a setting that is new, and left at its default, repeats nobody's training."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest

from compress.pruning.criteria import fpgm
from compress.recipe_file import shipped
from compress.recipe_parser import load
from compress.steps.augmentation import Augmentation
from compress.steps.distillation import Distillation
from compress.steps.fold_grey import GreyFolding
from compress.steps.fold_norms import NormFolding
from compress.steps.ghost import Ghosting
from compress.steps.prune import ChannelPruning
from compress.steps.prune_blocks import BlockPruning
from compress.steps.registry import kind_of
from compress.steps.soft_prune import SoftPruning
from compress.steps.step import Step, described, settings
from compress.steps.train import Training

TRAINING = {
    "lr": 0.5,
    "batch": 8,
    "size": 96,
    "weight_decay": 0.0,
    "bn_l1": 1e-4,
    "smoothing": 0.1,
    "balance": False,
    "seed": 2,
    "optimizer": "adamw",
    "compiled": True,
}
CHANGES: dict[type[Step], dict[str, Any]] = {
    Training: TRAINING,
    BlockPruning: TRAINING | {"penalty": 0.1, "gate_lr": 0.2},
    SoftPruning: TRAINING | {"criterion": "fpgm", "round_to": 4},
    ChannelPruning: {
        "ratios": {"stem*": 0.5},
        "macs": 0.5,
        "parameters": 0.5,
        "criterion": "taylor-abs",
        "round_to": 4,
        "layers": ("up*",),
        "steps": 2,
        "gradient": "random",
        "normalize": False,
        "samples": 7,
        "seed": 2,
        "overall": True,
    },
    Ghosting: {"cheap_kernel": 5, "init": "random", "samples": 7},
}
NEEDED: dict[type[Step], dict[str, Any]] = {
    Training: {"epochs": 3},
    BlockPruning: {"epochs": 3},
    SoftPruning: {"epochs": 3, "ratios": {"*": 0.5}},
    ChannelPruning: {},
    Ghosting: {"layers": ("last",)},
}


def paired(table: dict[str, Any]) -> dict[str, Any]:
    """Patterns as pairs: their order counts."""
    return {key: list(value.items()) if isinstance(value, dict) else value for key, value in table.items()}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_is_left_at_its_default_does_not_enter(kind: type[Step]) -> None:
    assert settings(kind(**NEEDED[kind])) == paired(NEEDED[kind])
    defaults = {
        entry.name: entry.default
        for entry in dataclasses.fields(kind)
        if entry.default is not dataclasses.MISSING and entry.name not in NEEDED[kind]
    }
    assert settings(kind(**NEEDED[kind], **defaults)) == paired(NEEDED[kind])


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, changes in CHANGES.items() for name in changes])
def test_what_is_changed_enters(kind: type[Step], name: str) -> None:
    change = {name: CHANGES[kind][name]}
    assert settings(kind(**NEEDED[kind], **change)) == paired(NEEDED[kind] | change)


@pytest.mark.parametrize("kind", CHANGES)
def test_every_setting_is_tried(kind: type[Step]) -> None:
    names = {entry.name for entry in dataclasses.fields(kind)} - {"augment", "distill"}
    assert names == CHANGES[kind].keys() | NEEDED[kind].keys()


def test_of_the_augmentation_too_only_what_is_changed_enters() -> None:
    assert settings(Training(3, augment=Augmentation())) == {"epochs": 3}
    for name, value in {"flip": True, "rotate": 5.0, "tint": 0.1, "crop": 4, "erase": 0.5}.items():
        assert settings(Training(3, augment=Augmentation(**{name: value}))) == {"epochs": 3, "augment": {name: value}}


def test_of_the_distillation_too() -> None:
    assert settings(Training(3, distill=Distillation())) == {"epochs": 3}
    assert settings(Training(3, distill=Distillation(0.5))) == {"epochs": 3, "distill": {"share": 0.5}}
    whole = {"share": 0.5, "temperature": 2.0}
    assert settings(Training(3, distill=Distillation(**whole))) == {"epochs": 3, "distill": whole}


def test_steps_without_settings_have_none() -> None:
    assert settings(GreyFolding()) == settings(NormFolding()) == {}


@pytest.mark.parametrize("name", shipped())
def test_settings_make_the_step_again(name: str) -> None:
    for step in load(name).steps:
        chosen = settings(step)
        if "augment" in chosen:
            chosen["augment"] = Augmentation(**chosen["augment"])
        if "distill" in chosen:
            chosen["distill"] = Distillation(**chosen["distill"])
        if "ratios" in chosen:
            chosen["ratios"] = dict(chosen["ratios"])
        assert type(step)(**chosen) == step


# Of each shipped recipe: what of its steps enters the keys of its checkpoints, as it was when they were first shipped.
KEYS = {
    "bpcp": "c873299f89046e3c",
    "cpgresnet50": "950d738d43f4d3e2",
    "depgraph-resnet56": "b48b4f30a69ad3e2",
    "depgraph-resnet56-small": "07168a35eecfd5e5",
    "phantom": "9f56ad965560a4fc",
    "pneumonia": "d7a8389bb00da4ab",
    "polyp": "40f476eca13d161d",
    "polyp60": "162e993ef11a2651",
    "sfp-resnet56": "0c1e2dfef8f696a2",
}


@pytest.mark.parametrize("name", shipped())
def test_checkpoints_of_shipped_recipes_keep_their_keys(name: str) -> None:
    rows = [[kind_of(step), settings(step)] for step in load(name).steps]
    assert hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:16] == KEYS[name]


def test_a_function_among_the_settings_has_a_name() -> None:
    step = ChannelPruning({"a": 0.5}, criterion=fpgm)
    assert settings(step)["criterion"] == described(step)["criterion"] == "compress.pruning.criteria:fpgm"
