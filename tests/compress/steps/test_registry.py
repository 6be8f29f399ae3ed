"""Which steps there are, what is no step, and what is said where a user's own step fails."""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from torch import nn

from compress.networks.resnet import resnet_mini
from compress.recipe_file import RECIPES
from compress.recipe_parser import parse
from compress.run import Run
from compress.state.rehearsal import rehearse
from compress.steps import registry
from compress.steps.registry import kind_of, kinds, register
from compress.steps.step import Context, Rehearsal, Step
from edge.errors import EdgeError
from edge.preprocess import Preprocessing
from tests.compress.conftest import HERE

OWN = """
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from compress.steps.step import Step


class Base(Step):
    kind: ClassVar[str] = "own"

    @property
    def detail(self) -> str:
        return "nothing"

    def rehearse(self, network, rehearsal):
        return network

    def apply(self, context):
        return context.network


@dataclass(frozen=True)
class Idle(Base):
    times: int = 1
    names: tuple[str, ...] = ()

    def __post_init__(self):
        if self.times == 13:
            raise ValueError("thirteen is no number of times")


@dataclass(frozen=True)
class Strict(Idle):
    def faults(self, spec, earlier) -> Iterator[tuple[str, object, str]]:
        if self.times > len(earlier):
            yield "times", self.times, f"at most {len(earlier)} at {spec.height} pixels"


@dataclass(frozen=True)
class FailsInFaults(Idle):
    def faults(self, spec, earlier):
        return 1 / 0


@dataclass(frozen=True)
class FailsInRehearse(Idle):
    def rehearse(self, network, rehearsal):
        return network.no_such_layer


@dataclass(frozen=True)
class FailsInApply(Idle):
    def apply(self, context):
        raise SystemExit("enough")


@dataclass(frozen=True)
class GivesNothing(Idle):
    def apply(self, context):
        context.network.eval()


@dataclass(frozen=True)
class FailsInRestore(Idle):
    def restore(self, network, tensors, inputs):
        return tensors["no such tensor"]


@dataclass(frozen=True)
class Taken(Base):
    kind: ClassVar[str] = "prune"


@dataclass
class Changing(Base):
    times: int = 1


@dataclass(frozen=True)
class Lacking(Step):
    kind: ClassVar[str] = "lacking"


@dataclass(frozen=True)
class Nameless(Base):
    kind: ClassVar[str] = ""


@dataclass(frozen=True)
class Unreadable(Base):
    times: Number = 1


class Foreign:
    kind = "foreign"


a_function = print
"""
SPEC = Preprocessing(48, 48, "grey", 3, (0.5,), (0.25,))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder: steps in `own_steps.py`, a network, and `recipe.toml`, which need not exist."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("own_steps", "own_network"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "own_steps.py").write_text(OWN)
    (tmp_path / "own_network.py").write_text((HERE / "own_network.py").read_text())
    return tmp_path


def table(*steps: dict[str, Any]) -> dict[str, Any]:
    head = {"name": "own", "title": "A recipe", "network": "own_network:build", "data": {"validation": 0.25}}
    size = {"height": 48, "width": 48, "color": "grey", "channels": 3, "mean": [0.5], "std": [0.25]}
    return head | {"input": size, "steps": list(steps)}


def parsed(folder: Path, *steps: dict[str, Any]) -> Any:
    return parse(table(*steps), str(folder / "recipe.toml"))


def test_each_file_of_the_folder_is_found() -> None:
    own = set(kinds())
    assert own == {"train", "prune-blocks", "soft-prune", "prune", "ghost", "fold-norms", "fold-grey"}
    assert all(kind == step.kind and len(kind) <= 12 for kind, step in kinds().items())


def test_a_step_of_ones_own_is_found_beside_the_recipe(folder: Path) -> None:
    step = parsed(folder, {"kind": "own_steps:Idle", "times": 3, "names": ["a", "b"]}).steps[0]
    assert (step.times, step.names, step.kind, kind_of(step)) == (3, ("a", "b"), "own", "own_steps:Idle")


WRONG = [
    (
        "ghosts",
        r"steps\[1\] has kind 'ghosts': expected one of fold-grey, .*; did you mean 'ghost'",
    ),
    ("zzz", r"steps\[1\] has kind 'zzz': expected one of fold-grey, .*'package.module:Class'$"),
    (
        "own_steps:Idel",
        r"steps\[1\]\.kind is 'own_steps:Idel', and module own_steps has no .*mean 'Idle'",
    ),
    ("no_such:Idle", r"steps\[1\]\.kind 'no_such:Idle' can't be imported \(No module named 'no_such'\)"),
    (":Idle", r"steps\[1\]\.kind is ':Idle': expected 'package.module:attribute'"),
    ("own_steps:Taken", r"is no step \(its kind 'prune' is the one of compress\.steps\.prune:ChannelPruning\)"),
    ("own_steps:Changing", r"is no step \(it is no frozen dataclass\): expected a frozen dataclass that inherits"),
    ("own_steps:Lacking", r"is no step \(it has no detail, rehearse, apply\)"),
    ("own_steps:Foreign", r"is no step \(it has no compresses, is_certain, detail, .*restore, input_after\)"),
    ("own_steps:Nameless", r"is no step \(its kind is '', and no word\)"),
    ("own_steps:Unreadable", r"is no step \(the types of its fields can't be read: name 'Number' is not defined\)"),
    ("own_steps:a_function", r"is no step \(it is a builtin_function_or_method, and no class\)"),
]


@pytest.mark.parametrize("kind, message", WRONG, ids=[row[0] for row in WRONG])
def test_what_is_no_step_is_refused_in_a_sentence(kind: str, message: str, folder: Path) -> None:
    with pytest.raises(EdgeError, match=message) as error:
        parsed(folder, {"kind": kind})
    assert str(error.value).startswith(str(folder / "recipe.toml")) and "\n" not in str(error.value)


def test_its_settings_are_checked_as_those_of_any_step(folder: Path) -> None:
    for step, message in (
        ({"kind": "own_steps:Idle", "time": 3}, r"steps\[1\] has the unknown key 'time': did you mean 'times'"),
        ({"kind": "own_steps:Idle", "times": "3"}, r"steps\[1\]\.times is '3': expected a whole number"),
        ({"kind": "own_steps:Idle", "times": 13}, r"Idle refuses it \(thirteen is no number of times\)"),
        ({"kind": "own_steps:Strict"}, r"steps\[1\]\.times is 1: expected at most 0 at 48 pixels; correct it"),
        ({"kind": "own_steps:FailsInFaults"}, r"step 1, own_steps:FailsInFaults: faults fails \(ZeroDivisionError: "),
    ):
        with pytest.raises(EdgeError, match=message) as error:
            parsed(folder, step)
        assert str(error.value).startswith(str(folder / "recipe.toml"))
    parsed(folder, {"kind": "fold-norms"}, {"kind": "own_steps:Strict"})


def test_a_rehearsal_that_fails_is_its_steps(folder: Path) -> None:
    steps = parsed(folder, {"kind": "fold-norms"}, {"kind": "own_steps:FailsInRehearse"}).steps
    with pytest.raises(EdgeError, match=r"step 2, own_steps:FailsInRehearse: rehearse fails \(AttributeError: "):
        rehearse(resnet_mini(2, 3), steps, SPEC)


@pytest.mark.parametrize(
    "kind, message",
    [
        ("FailsInApply", r"apply fails \(SystemExit: enough\).*correct FailsInApply\.apply"),
        ("GivesNothing", r"apply gives a NoneType: expected the network; return it"),
    ],
)
def test_what_fails_when_it_is_applied_is_its_steps(kind: str, message: str, folder: Path, phantoms: Path) -> None:
    recipe = parsed(folder, {"kind": f"own_steps:{kind}"})
    with pytest.raises(EdgeError, match=f"step 1, own_steps:{kind}: {message}"):
        Run(recipe, phantoms, folder / "out", lambda text: None, lambda text: None).compress()


def test_so_is_what_fails_when_it_is_restored(folder: Path, phantoms: Path) -> None:
    recipe = parsed(folder, {"kind": "own_steps:FailsInRestore"})

    def run() -> None:
        Run(recipe, phantoms, folder / "out", lambda text: None, lambda text: None).compress()

    run()
    with pytest.raises(EdgeError, match=r"step 1, own_steps:FailsInRestore: restore fails \(KeyError: "):
        run()


@dataclass(frozen=True)
class Breaking(Step):
    kind: ClassVar[str] = "breaking"

    @property
    def detail(self) -> str:
        return ""

    def rehearse(self, network: nn.Module, rehearsal: Rehearsal) -> nn.Module:
        raise ZeroDivisionError

    def apply(self, context: Context) -> nn.Module:
        return context.network


def test_what_is_no_step_is_not_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_KINDS", copy.copy(registry._KINDS))
    with pytest.raises(TypeError, match="it has no kind, "):
        register(type("Empty", (), {}))
    with pytest.raises(TypeError, match="it is a str, and no class"):
        register("prune")  # type: ignore[type-var]
    with pytest.raises(TypeError, match="ChannelPruning'> has the kind 'prune'"):
        register(dataclass(frozen=True)(type("Other", (Breaking,), {"kind": "prune"})))
    assert kind_of(Breaking()) == "tests.compress.steps.test_registry:Breaking"
    assert register(Breaking) is Breaking and register(Breaking) is Breaking
    assert kind_of(Breaking()) == "breaking"
    with pytest.raises(ZeroDivisionError):  # a fault of the project's own step keeps its traceback
        rehearse(resnet_mini(2, 3), [Breaking()], SPEC)


def test_recipes_that_are_shipped_name_the_projects_own_steps() -> None:
    text = "".join(path.read_text() for path in RECIPES.glob("*.toml"))
    assert all(f'kind = "{kind}"' in text for kind in ("train", "prune", "prune-blocks", "soft-prune", "fold-grey"))
