"""The pipeline: recipe and data in; model file, ledger, chart and report out.

Every step leaves a checkpoint named after everything that led to it: network, data, preprocessing and all steps so far.
So a run that was killed goes on where it was, a finished one is repeated in seconds, a recipe that was changed on
purpose repeats only what the change concerns, and two recipes that begin alike share their beginning.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from compress.convert import model_file
from compress.convert import tflite as convert
from compress.convert.verify import check_alive
from compress.cost import Cost, cost
from compress.data.folder import DataSet
from compress.inputs import Inputs, inputs_of
from compress.pruning.blocks import close, closed_in, residual_blocks
from compress.pruning.channels import Pruning, prune
from compress.pruning.taylor import Examples
from compress.recipe import Recipe, Step, build_network, kind_of
from compress.recipe_file import named
from compress.report import report
from compress.report.ledger import Ledger, Row, draw
from compress.state import record
from compress.state.checkpoint import load_tensors, load_weights, save_tensors
from compress.state.rehearsal import rehearse
from compress.state.structure import fit
from compress.steps.folding import Folding, NormFolding, fold_grey, fold_norms
from compress.steps.ghost import Ghosting, ghost
from compress.steps.prune_blocks import BlockPruning, prune_blocks
from compress.steps.soft_prune import SoftPruning, soft_prune
from compress.steps.train import Training, logits, seconds_spent, to_input, train
from compress.tasks.registry import task_named
from edge.answer import Decision
from edge.errors import EdgeError
from edge.preprocess import Preprocessing
from edge.strict_json import dumps

Log = Callable[[str], None]


@dataclass
class State:
    """A network on its way, the preprocessing it expects, and the key of everything that led to it.

    `note` is what the last step found out, for the ledger, where that says more than its settings do.
    """

    network: nn.Module
    spec: Preprocessing
    key: str
    note: str = ""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the network's input."""
        return self.spec.channels, self.spec.height, self.spec.width

    @property
    def inputs(self) -> Inputs:
        """Example inputs of the network."""
        return inputs_of(self.shape)


class Run:
    """One run of a recipe into a folder.

    Files in `output`, NAME being the recipe's: `NAME.tflite` (the model file), `NAME.float32.tflite` and
    `NAME.baseline.float32.tflite` (plain TFLite, for benchmarks), `NAME.ledger.json`, `NAME.ledger.png`,
    `NAME.report.json`, `NAME.md` (the model card), for segmentation `NAME.worst.png` (the test images that went
    worst), and `checkpoints/`.
    """

    def __init__(self, recipe: Recipe, data_folder: Path, output: Path, log: Log, progress: Log, changed: bool = False):
        """`say` gets what is worth keeping, a line at a time; `progress` what is being done, until the next call.

        With `changed`, a recipe may differ from the one of its name that `output` was begun with; else that is refused.
        """
        self.recipe, self.output, self.log, self.progress = recipe, output, log, progress
        self.task = task_named(recipe.task, recipe.origin)
        self.weights = load_weights(named(recipe.weights, recipe.origin)) if recipe.weights else None
        _check_teacher(recipe, self.weights is not None)
        self._network(len(self.task.labels(data_folder, recipe)))  # which fails before thousands of images are read
        self.data: DataSet = self.task.load(data_folder, recipe, progress)
        self.checkpoints = output / "checkpoints"
        self.changed = changed
        self.teacher: nn.Module | None = None  # the network before the first step that makes it smaller
        self.whole = Cost(0, 0)  # what it costs
        self.ledger = Ledger(log, self.task.metric(self.data))

    def __call__(self) -> Path:
        """Do all that is not done yet, write the files, and return the model file's path.

        Raises EdgeError, naming what changed, where the run was begun with another recipe of this name.
        """
        begun, path = self._begun(), self.checkpoints / f"{self.recipe.name}.recipe.json"
        if not self.changed:
            record.check(path, begun)
        first = self._first()
        if self._is_unfinished(first.key):
            rehearse(first.network, self.recipe.steps, first.shape)
        record.write(path, begun)
        baseline, state = self._steps(first)
        flatbuffers, seconds = self._flatbuffers(baseline, state)
        result = report.measure(self, baseline, state, flatbuffers)
        size = (self.output / f"{self.recipe.name}.tflite").stat().st_size
        spent = cost(state.network, state.inputs)
        self.ledger.add(Row("int8", "model file", spent.parameters, spent.macs, size, result["validation"], seconds))
        stem = self.output / self.recipe.name
        self.ledger.save(stem.with_name(f"{stem.name}.ledger.json"))
        draw(self.ledger, self.recipe.title, stem.with_name(f"{stem.name}.ledger.png"))
        for name in ("baseline.float32", "float32"):
            model_file.write_beside(stem.with_name(f"{stem.name}.{name}.tflite"), flatbuffers[name])
        return stem.with_name(f"{stem.name}.tflite")

    def compress(self) -> tuple[State, State]:
        """Run the recipe's steps, or load what they left behind.

        Returns the network before the first step that makes it smaller, and the network after the last.
        """
        return self._steps(self._first())

    def _first(self) -> State:
        state = self._begin(lambda text: self.progress(f"{text}\n"))
        self._row(state, "network", self.recipe.network.split(":")[1], lambda s: s)
        return state

    def _steps(self, state: State) -> tuple[State, State]:
        baseline = None
        for step in self.recipe.steps:
            if baseline is None and type(step) is not Training:
                baseline = State(copy.deepcopy(state.network), state.spec, state.key)
                self.teacher = baseline.network
                self.whole = cost(baseline.network, baseline.inputs)
            state = self._row(state, kind_of(step), _detail(step), partial(self._apply, step=step), step)
        return baseline or state, state

    def _is_unfinished(self, key: str) -> bool:
        """Return whether a step is left to do, from the network of this key on."""
        for step in self.recipe.steps:
            key = _key(key, [kind_of(step), settings(step)])
        return not (self.checkpoints / f"{key}.json").exists()

    def _begun(self) -> dict[str, Any]:
        """Return all that decides the weights of the networks on the way."""
        return {
            "name": self.recipe.name,
            "network": self.recipe.network,
            "weights": self.weights.sha256 if self.weights else None,
            "seed": self.recipe.seed,
            "input": self.recipe.input.record(),
            "data": self.data.summary["digest"],
            "steps": [{"kind": kind_of(step), **settings(step)} for step in self.recipe.steps],
        }

    def _begin(self, log: Log = lambda text: None) -> State:
        network = self._network(len(self.data.labels), log)
        shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
        what = [self.recipe.network, self.recipe.seed, shapes, self.recipe.input.record(), self.data.summary["digest"]]
        if self.weights:
            what.append(self.weights.sha256)
        return State(network, self.recipe.input, _key("", what))

    def _network(self, classes: int, log: Log = lambda text: None) -> nn.Module:
        torch.manual_seed(self.recipe.seed)
        network = build_network(self.recipe, classes)
        return self.weights.into(network, log) if self.weights else network

    def _row(
        self, state: State, kind: str, detail: str, action: Callable[[State], State], step: Step | None = None
    ) -> State:
        """Do `action`, or load what it left behind; add its row to the ledger."""
        key = _key(state.key, [kind, settings(step)]) if step else state.key
        weights, row = self.checkpoints / f"{key}.pt", self.checkpoints / f"{key}.json"
        if weights.exists() and row.exists():
            after = self._load(state, step, key)
            self._epochs_file(key).unlink(missing_ok=True)  # a kill may have come between the row and this
            self.ledger.add(Row(**json.loads(row.read_text())))
            return after
        begun = time.monotonic() - seconds_spent(self._epochs_file(key))
        after = replace(action(replace(state, key=key)), key=key)
        spent = cost(after.network, after.inputs)
        quality = self.task.evaluate(logits(after.network, self.data.val, after.spec), self.data)
        seconds = time.monotonic() - begun
        entry = Row(kind, after.note or detail, spent.parameters, spent.macs, 4 * spent.parameters, quality, seconds)
        save_tensors(weights, after.network.state_dict())
        model_file.write_beside(row, dumps(asdict(entry), f"the row of {kind}").encode())
        self._epochs_file(key).unlink(missing_ok=True)
        self.ledger.add(entry)
        return after

    def _load(self, state: State, step: Step | None, key: str) -> State:
        """Return what `step` made of `state`, whose network is used up, from the checkpoint."""
        tensors = load_tensors(self.checkpoints / f"{key}.pt")
        return State(fit(_rearranged(state, step, tensors), tensors), _input_after(state.spec, step), key)

    def judge(self, decision: Decision) -> None:
        """Judge each network of the ledger by the model's own decision, where the metric depends on it.

        Masks do: until the int8 model's threshold is known, one half stands in for it.
        """
        if self.task.default_decision(self.recipe) is None:
            return
        state, name = self._begin(), _key("", decision)
        for number, step in enumerate((None, *self.recipe.steps)):
            key = _key(state.key, [kind_of(step), settings(step)]) if step else state.key
            state = self._load(state, step, key)
            path = self.checkpoints / f"{key}.{name}.worth.json"
            if not path.exists():
                self.progress(f"judging the network of row {number} at the threshold {decision.threshold:g}")
                outputs = logits(state.network, self.data.val, state.spec)
                model_file.write_beside(
                    path, dumps(self.task.evaluate(outputs, self.data, decision), "the score").encode()
                )
            self.ledger.rows[number] = replace(self.ledger.rows[number], metric=json.loads(path.read_text()))

    def _apply(self, state: State, step: Step) -> State:
        epochs, log, note = self._epochs_file(state.key), self._progress(kind_of(step)), ""
        if isinstance(step, BlockPruning):
            network, note = prune_blocks(state.network, self.data, state.spec, step, epochs, log, self.teacher)
            note += _distilled(step)
        elif isinstance(step, SoftPruning):
            network = soft_prune(state.network, self.data, state.spec, step, epochs, log, self.teacher)
        elif isinstance(step, Training):
            network = train(state.network, self.data, state.spec, step, epochs, log, teacher=self.teacher)
        elif isinstance(step, Pruning):
            network = self._pruned(state, step.of_what_is_left(self.whole, cost(state.network, state.inputs)), log)
        elif isinstance(step, Ghosting):
            torch.manual_seed(self.recipe.seed)  # random weights are the same in a run that was taken up again
            network = ghost(state.network, step, self.samples(state, step.samples), log)
        elif isinstance(step, NormFolding):
            network = fold_norms(state.network, state.shape)
        else:
            network = fold_grey(state.network, state.shape)
        return State(network, _input_after(state.spec, step), state.key, note)

    def _pruned(self, state: State, step: Pruning, log: Log) -> nn.Module:
        if not step.ratios and not step.shares:
            log("nothing is left to remove: earlier steps removed as much overall\n")
            return state.network
        examples = self._examples(state, step.samples) if step.needs_images else None
        return prune(state.network, step, state.inputs, examples, log)

    def _epochs_file(self, key: str) -> Path:
        return self.checkpoints / f"{key}.epochs.pt"

    def _progress(self, what: str) -> Log:
        return lambda text: self.progress(f"{what}: {text}")

    def samples(self, state: State, count: int) -> torch.Tensor:
        """Return float32 (count, channels, height, width): training images, the same ones each time, classes mixed."""
        return to_input(torch.from_numpy(self.data.train.pixels[self._chosen(count)]), state.spec)

    def _chosen(self, count: int) -> np.ndarray:
        return np.random.default_rng(0).permutation(len(self.data.train))[:count]

    def _examples(self, state: State, count: int) -> Examples:
        truth = torch.from_numpy(self.data.train.truth[self._chosen(count)])
        return Examples(self.samples(state, count), truth, self.task.losses)

    def _flatbuffers(self, baseline: State, state: State) -> tuple[dict[str, bytes], float]:
        """Return what the networks are converted to, by kind, and how many seconds that took, when it was done.

        Raises EdgeError, before anything is converted, where the network gives every image the same answer.
        """
        wanted = {"baseline.float32": (baseline, "float32"), "float32": (state, "float32"), "int8": (state, "int8")}
        paths = {name: self._converted(network, kind) for name, (network, kind) in wanted.items()}
        left = {  # equal networks have one path
            path: wanted[name]
            for name, path in paths.items()
            if not (path.exists() and path.with_suffix(".seconds.json").exists())
        }
        if left:
            check_alive("the float network", logits(state.network, self.data.val, state.spec))
            self._convert(left)
        spent = {path: json.loads(path.with_suffix(".seconds.json").read_text()) for path in paths.values()}
        return {name: path.read_bytes() for name, path in paths.items()}, sum(spent.values())

    def _converted(self, state: State, kind: str) -> Path:
        what = ["int8", self.recipe.calibration] if kind == "int8" else ["float32", 0]
        return self.checkpoints / f"{_key(state.key, what)}.tflite"

    def _convert(self, left: Mapping[Path, tuple[State, str]]) -> None:
        """Convert, in one process, to each file of `left` a network to a kind; beside it, the seconds that it took."""
        self.progress(f"converting to TFLite, {', '.join(kind for _, kind in left.values())}")
        states = {state.key: state for state, _ in left.values()}
        places = [{kind: path for path, (state, kind) in left.items() if state.key == key} for key in states]
        requests = [
            convert.Request(state.network, self.samples(state, self.recipe.calibration), list(kinds))
            for state, kinds in zip(states.values(), places, strict=True)
        ]
        for made in convert.convert(requests):
            path = places[made.request][made.kind]
            seconds = dumps(made.seconds, "the seconds").encode()
            model_file.write_beside(path.with_suffix(".seconds.json"), seconds)
            model_file.write_beside(path, made.flatbuffer)
            size = f"{len(made.flatbuffer) / 1e6:.2f} MB in {made.seconds:.0f} s"
            self.log(f"converted to TFLite {made.kind}: {size}")


def _check_teacher(recipe: Recipe, trained: bool) -> None:
    """Refuse to learn from random weights: `trained` says whether the network begins with others."""
    if trained or not recipe.steps or type(recipe.steps[0]) is Training:
        return
    for number, step in enumerate(recipe.steps, start=1):
        if isinstance(step, Training) and step.distill.share:
            raise EdgeError(
                f"{recipe.origin}: steps[{number}].distill has an untrained teacher: expected weights, or a step that "
                "trains before the first one that makes the network smaller; add one, or take distill out"
            )


def _rearranged(state: State, step: Step | None, tensors: dict[str, torch.Tensor]) -> nn.Module:
    """Return the network with what a step changed besides tensors, which can't be read off a checkpoint."""
    if isinstance(step, NormFolding):
        return fold_norms(state.network, state.shape)
    if isinstance(step, BlockPruning):
        return close(state.network, closed_in(residual_blocks(state.network, state.inputs), tensors))
    return state.network


def _detail(step: Step) -> str:
    if isinstance(step, SoftPruning):
        return f"{step.pruning.detail}, {_trained(step)}"
    if isinstance(step, Training):
        return _trained(step)
    if isinstance(step, Pruning):
        return step.detail
    if isinstance(step, Ghosting):
        return ", ".join(step.layers)
    return "into the ghosts" if isinstance(step, NormFolding) else "three equal channels to one"


def _trained(step: Training) -> str:
    size = f" at {step.size}x{step.size}" if step.size else ""
    return f"{step.epochs} epochs{size}{_distilled(step)}"


def _distilled(step: Training) -> str:
    return ", distilled" if step.distill.share else ""


def settings(step: Step) -> dict[str, Any]:
    """Return what a step sets, without what it leaves at its default: a new setting repeats nobody's training.

    Patterns become pairs: their order counts, and tables are written sorted.
    """
    chosen: dict[str, Any] = {}
    for entry in dataclasses.fields(step):
        value = getattr(step, entry.name)
        default = entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()
        if dataclasses.is_dataclass(value) and value != default:
            chosen[entry.name] = settings(value)  # type: ignore[arg-type]
        elif value != default:
            chosen[entry.name] = list(value.items()) if isinstance(value, Mapping) else value
    return chosen


def _input_after(spec: Preprocessing, step: Step | None) -> Preprocessing:
    return replace(spec, channels=1) if isinstance(step, Folding) else spec


def _key(before: str, what: Any) -> str:
    return hashlib.sha256((before + json.dumps(what, sort_keys=True)).encode()).hexdigest()[:16]
