"""The pipeline: recipe and data in; model file, ledger, chart and report out.

Every step leaves a checkpoint named after everything that led to it: network, data, preprocessing and all steps so far.
So a run that was killed goes on where it was, a finished one is repeated in seconds, a recipe that was changed on
purpose repeats only what the change concerns, and two recipes that begin alike share their beginning.
"""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compress.convert.float32 import ways
from compress.convert.verify import check_alive
from compress.cost import Cost, cost
from compress.data.split import DataSet
from compress.networks.load import build_network, check_network
from compress.recipe import Recipe
from compress.recipe_file import named
from compress.recipe_parser import check_teacher
from compress.report import chart, report, tensors
from compress.report.ledger import Ledger, Row, draw
from compress.state import conversion, record
from compress.state.checkpoint import load_tensors, load_weights, save_tensors
from compress.state.rehearsal import rehearse
from compress.state.stage import State, key_of
from compress.state.structure import fit
from compress.steps.registry import kind_of, reported
from compress.steps.step import Context, Step, settings
from compress.steps.train import logits, seconds_spent
from compress.tasks.base import Task
from compress.tasks.registry import task_named
from edge.answer import Decision
from edge.errors import EdgeError
from edge.files import write_beside
from edge.strict_json import dumps

Log = Callable[[str], None]


class Run:
    """One run of a recipe into a folder.

    Files in `output`, NAME being the recipe's: `NAME.tflite` (the model file), `NAME.float32.tflite` and
    `NAME.baseline.float32.tflite` (plain TFLite, for benchmarks), `NAME.ledger.json`, `NAME.ledger.png`,
    `NAME.tensors.png` (int8 against float), `NAME.report.json`, `NAME.md` (the model card), for segmentation
    `NAME.worst.png` (the test images that went worst), and `checkpoints/`.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Path | DataSet,
        output: Path,
        log: Log,
        progress: Log,
        changed: bool = False,
        *,
        network: nn.Module | None = None,
        task: Task | None = None,
        on_row: Callable[[Row], None] = lambda row: None,
    ):
        """Check the recipe against its data and network, and read the data.

        Args:
            data: the data set's folder, or the data set.
            log: gets what is to be kept, a line at a time.
            progress: gets what is being done, until the next call.
            changed: whether the recipe may differ from the one of its name that `output` was begun with.
            network: begins in the place of what the recipe's network function returns; it is copied.
            task: in the place of the recipe's.
            on_row: gets each row of the ledger as soon as it is there.

        Raises EdgeError for what is wrong with any of these.
        """
        self.recipe, self.output, self.log, self.progress, self.on_row = recipe, output, log, progress, on_row
        self.task = task or task_named(recipe.task, recipe.origin)
        self.weights = load_weights(named(recipe.weights, recipe.origin)) if recipe.weights else None
        self.given = network
        check_teacher(recipe, self.weights is not None or network is not None)
        ways(recipe.conversion.route)  # a route that is not installed is refused now, and not after training
        labels = data.labels if isinstance(data, DataSet) else self.task.labels(data, recipe)
        self._network(len(labels))  # which fails before thousands of images are read
        self.data = data if isinstance(data, DataSet) else self.task.load(data, recipe, progress)
        self.checkpoints = output / "checkpoints"
        self.changed = changed
        self.teacher: nn.Module | None = None  # the network before the first step that compresses
        self.whole: Cost | None = None  # what it costs
        self.compressed: State | None = None  # what the last step left
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
            network, spec = rehearse(first.network, self.recipe.steps, first.spec)
            left = State(network, spec, self._last_key(first.key))
            conversion.rehearse(self.recipe, self.data, left, self.checkpoints, self._say())
        record.write(path, begun)
        baseline, state = self._steps(first)
        self.compressed = state
        converted = self._converted(baseline, state)
        flatbuffers = converted.flatbuffers
        stem = self.output / self.recipe.name
        # Before anything is measured: where int8 has lost the network, this shows in which tensor.
        chart.draw(tensors.rows(converted.tensors), self.recipe.title, stem.with_name(f"{stem.name}.tensors.png"))
        result = report.measure(self._finished(), baseline, state, converted)
        size = (self.output / f"{self.recipe.name}.tflite").stat().st_size
        spent = cost(state.network, state.inputs)
        figures = spent.parameters, spent.macs, size, result["validation"], converted.seconds
        self._add(Row("int8", converted.detail, *figures))
        self.ledger.save(stem.with_name(f"{stem.name}.ledger.json"))
        draw(self.ledger, self.recipe.title, stem.with_name(f"{stem.name}.ledger.png"))
        for name in ("baseline.float32", "float32"):
            write_beside(stem.with_name(f"{stem.name}.{name}.tflite"), flatbuffers[name])
        return stem.with_name(f"{stem.name}.tflite")

    def _finished(self) -> report.Finished:
        return report.Finished(
            self.recipe,
            self._name,
            self.weights,
            self.data,
            self.task,
            self.output,
            self.checkpoints,
            self.ledger,
            self.judge,
            self.progress,
        )

    @property
    def _name(self) -> str:
        """The network's name, of an object its class's."""
        return self.recipe.network if self.given is None else _path_of(self.given)

    def compress(self) -> tuple[State, State]:
        """Run the recipe's steps, or load what they left behind.

        Returns the network before the first step that makes it smaller, and the network after the last.
        """
        return self._steps(self._first())

    def _first(self) -> State:
        state = self._begin(lambda text: self.progress(f"{text}\n"))
        self._row(state, "network", self._name.split(":")[1], lambda s: s)
        return state

    def _steps(self, state: State) -> tuple[State, State]:
        baseline = None
        for number, step in enumerate(self.recipe.steps, start=1):
            if baseline is None and step.compresses:
                baseline = State(copy.deepcopy(state.network), state.spec, state.key)
                self.teacher = baseline.network
                self.whole = cost(baseline.network, baseline.inputs)
            with reported(number, step, "detail"):
                detail = step.detail
            state = self._row(state, step.kind, detail, partial(self._apply, number, step), number, step)
        return baseline or state, state

    def _is_unfinished(self, key: str) -> bool:
        """Return whether a step is left to do, from the network of this key on."""
        return not (self.checkpoints / f"{self._last_key(key)}.json").exists()

    def _last_key(self, key: str) -> str:
        """Return the key of what the last step leaves of a network of this key."""
        for step in self.recipe.steps:
            key = key_of(key, [kind_of(step), settings(step)])
        return key

    def _begun(self) -> dict[str, Any]:
        """Return all that decides the weights of the networks on the way."""
        return {
            "name": self.recipe.name,
            "network": self._name,
            **({} if self.given is None else {"tensors": _digest(self.given)}),
            **({"functions": self.task.identity} if self.task.identity else {}),
            "weights": self.weights.sha256 if self.weights else None,
            "seed": self.recipe.seed,
            "input": self.recipe.input.record(),
            "data": self.data.summary["digest"],
            "steps": [{"kind": kind_of(step), **settings(step)} for step in self.recipe.steps],
        }

    def _begin(self, log: Log = lambda text: None) -> State:
        network = self._network(len(self.data.labels), log)
        shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
        what = [self._name, self.recipe.seed, shapes, self.recipe.input.record(), self.data.summary["digest"]]
        if self.given is not None:
            what.append(_digest(self.given))
        if self.weights:
            what.append(self.weights.sha256)
        if self.task.identity:
            what.append(self.task.identity)
        return State(network, self.recipe.input, key_of("", what))

    def _network(self, classes: int, log: Log = lambda text: None) -> nn.Module:
        torch.manual_seed(self.recipe.seed)
        if self.given is None:
            network = build_network(self.recipe, classes)
        else:
            network = copy.deepcopy(self.given).cpu().eval()
            check_network(network, self.recipe, classes, self._name)
        return self.weights.into(network, log) if self.weights else network

    def _row(
        self,
        state: State,
        kind: str,
        detail: str,
        action: Callable[[State], State],
        number: int = 0,
        step: Step | None = None,
    ) -> State:
        """Do `action`, or load what it left behind; add its row to the ledger."""
        key = key_of(state.key, [kind_of(step), settings(step)]) if step else state.key
        weights, row = self.checkpoints / f"{key}.pt", self.checkpoints / f"{key}.json"
        if weights.exists() and row.exists():
            after = self._load(state, number, step, key)
            self._epochs_file(key).unlink(missing_ok=True)  # a kill may have come between the row and this
            self._add(Row(**json.loads(row.read_text())))
            return after
        begun = time.monotonic() - seconds_spent(self._epochs_file(key))
        after = replace(action(replace(state, key=key)), key=key)
        spent = cost(after.network, after.inputs)
        quality = self.task.evaluate(logits(after.network, self.data.val, after.spec), self.data)
        seconds = time.monotonic() - begun
        entry = Row(kind, after.note or detail, spent.parameters, spent.macs, 4 * spent.parameters, quality, seconds)
        save_tensors(weights, after.network.state_dict())
        write_beside(row, dumps(asdict(entry), f"the row of {kind}").encode())
        self._epochs_file(key).unlink(missing_ok=True)
        self._add(entry)
        return after

    def _add(self, row: Row) -> None:
        self.ledger.add(row)
        self.on_row(row)

    def _load(self, state: State, number: int, step: Step | None, key: str) -> State:
        """Return what `step` made of `state`, whose network is used up, from the checkpoint."""
        tensors = load_tensors(self.checkpoints / f"{key}.pt")
        network, spec = state.network, state.spec
        if step:
            with reported(number, step, "restore"):
                network = step.restore(network, tensors, state.inputs)
            spec = step.input_after(spec)
        return State(fit(network, tensors), spec, key)

    def judge(self, decision: Decision) -> None:
        """Evaluate each network of the ledger by the model's own decision, where the metric depends on it.

        That of masks does: until the int8 model's threshold is known, one half stands in for it.
        """
        if self.task.default_decision(self.recipe) is None:
            return
        state, name = self._begin(), key_of("", decision)
        for number, step in enumerate((None, *self.recipe.steps)):
            key = key_of(state.key, [kind_of(step), settings(step)]) if step else state.key
            state = self._load(state, number, step, key)
            path = self.checkpoints / f"{key}.{name}.score.json"
            if not path.exists():
                self.progress(f"evaluating the network of row {number} at the threshold {decision.threshold:g}")
                outputs = logits(state.network, self.data.val, state.spec)
                write_beside(path, dumps(self.task.evaluate(outputs, self.data, decision), "the score").encode())
            self.ledger.rows[number] = replace(self.ledger.rows[number], metric=json.loads(path.read_text()))

    def _apply(self, number: int, step: Step, state: State) -> State:
        context = Context(
            network=state.network,
            data=self.data,
            spec=state.spec,
            inputs=state.inputs,
            teacher=self.teacher,
            whole=self.whole,
            epochs=self._epochs_file(state.key),
            progress=lambda text: self.progress(f"{step.kind}: {text}"),
            seed=self.recipe.seed,
        )
        with reported(number, step, "apply"):
            network = step.apply(context)
            if not isinstance(network, nn.Module):
                raise EdgeError(f"apply gives a {type(network).__name__}: expected the network; return it")
            spec = step.input_after(state.spec)
        return State(network, spec, state.key, context.note)

    def _epochs_file(self, key: str) -> Path:
        return self.checkpoints / f"{key}.epochs.pt"

    def _converted(self, baseline: State, state: State) -> conversion.Converted:
        """Return what the networks are converted to.

        Raises EdgeError, before anything is converted, where the network gives every image the same answer.
        """
        check = partial(self._check_alive, state)
        return conversion.convert(self.recipe, self.data, baseline, state, self.checkpoints, check, self._say())

    def _check_alive(self, state: State) -> None:
        check_alive("the float network", logits(state.network, self.data.val, state.spec))

    def _say(self) -> conversion.Say:
        return conversion.Say(self.log, self.progress)


def _path_of(network: nn.Module) -> str:
    return f"{type(network).__module__}:{type(network).__qualname__}"


def _digest(network: nn.Module) -> str:
    """Return the SHA-256 of a network's tensors and their names."""
    found = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        plain = tensor.detach().cpu().contiguous()
        found.update(f"{name} {plain.dtype} {tuple(plain.shape)}".encode())
        found.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
