"""The Python interface: networks and data as objects, each function by itself or a whole recipe.

Every function that changes a network returns a new one and leaves what it was given as it was. `example_inputs` is one
tensor, or a tuple with one for each input of the network: their shapes (with the batch) and types count. What is wrong
raises `edge.errors.EdgeError`, a sentence that says what was found, what was expected and what to do. docs/python.md
shows all of it at work.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compress import recipe_file
from compress.convert import packing, verify
from compress.convert import tflite as conversion
from compress.convert.float32 import AUTO
from compress.convert.model_file import write_beside
from compress.convert.quantize import DEFAULT, Choices
from compress.cost import Cost as Cost
from compress.cost import cost as cost
from compress.data.samples import Samples, load_samples
from compress.data.split import DataSet as DataSet
from compress.data.split import Split
from compress.inputs import Inputs, as_inputs
from compress.pruning.channels import prune as prune_channels
from compress.pruning.settings import Pruning
from compress.recipe import Data, Recipe
from compress.recipe_parser import parse
from compress.report import tensors
from compress.report.ledger import Row as Row
from compress.report.report import table
from compress.run import Run
from compress.steps.augmentation import Augmentation
from compress.steps.distillation import Distillation
from compress.steps.ghost import Ghosting
from compress.steps.ghost import ghost as ghost_layers
from compress.steps.step import examples as training_examples
from compress.steps.step import samples as training_samples
from compress.steps.train import Training, logits
from compress.steps.train import train as train_network
from compress.tasks.base import Task
from compress.tasks.own import Loss, Metric, customized, measured
from compress.tasks.registry import task_named
from edge.errors import EdgeError
from edge.preprocess import Preprocessing
from edge.scratch import scratch

Input = Preprocessing
Say = Callable[[str], None]
Source = str | os.PathLike[str] | Samples | Mapping[str, Samples]
COMPARED = 100  # validation images that a converted network is compared on
CALL = "compress"  # what messages call the recipe, where there is none


def _silent(text: str) -> None:
    pass


def load_data(
    source: Source,
    input: Input,
    *,
    task: str | Task = "classification",
    labels: Sequence[str] = (),
    positive: str = "",
    validation: float = 0.1,
    test: float = 0.1,
    group: str = "",
    progress: Say = _silent,
) -> DataSet:
    """Read a data set once, for training, evaluation and calibration, as the device will read it.

    Args:
        source: a folder (docs/recipes.md), a `torch.utils.data.Dataset` (or list) of pairs (image, label) or (image,
            mask), or such for "train", "val" and "test". An image is a Pillow image, a tensor (channels, height,
            width) or an array (height, width, channels), of uint8 or of floats from 0 to 1; a mask (height, width)
            is of booleans, 0 and 1, or 0 and 255. They must not be normalized, nor changed at random.
        input: size, colours and normalization of the network's input: `compress.Input(224, 224, "grey", channels=1)`.
        task: "classification", "segmentation", or a `compress.tasks.base.Task`.
        labels: names of the classes, or of what masks show; none: the folder's, or the Dataset's `classes`.
        positive: the label that is decided for by a threshold; none: the highest score decides.
        validation, test: shares to set aside where the source has no such part.
        group: regular expression that finds the patient in a file's path; a patient's images are never divided.

    Example:
        >>> data = compress.load_data(pairs, compress.Input(32, 32), labels=["cat", "dog"])  # doctest: +SKIP
    """
    known = task_named(task, CALL) if isinstance(task, str) else task
    if isinstance(source, str | os.PathLike):
        about = Data(positive=positive, validation=validation, test=test, group=group)
        recipe = Recipe("data", "data", "none:none", input, (), data=about, task=known.name)
        return known.load(Path(source), recipe, progress)
    names = tuple(labels) or _classes(source) or ((positive,) if positive else ())
    if not names:
        raise EdgeError("the data has no names of its labels: expected labels=[...], in the order of their numbers")
    return load_samples(known, source, input, names, validation, progress)


def _classes(source: Samples | Mapping[str, Samples]) -> tuple[str, ...]:
    train = source.get("train") if isinstance(source, Mapping) else source
    return tuple(map(str, getattr(train, "classes", ())))


def prune(
    network: nn.Module,
    example_inputs: Tensor | Inputs,
    *,
    macs: float = 0.0,
    parameters: float = 0.0,
    ratios: Mapping[str, float] | None = None,
    criterion: str | Callable[..., Tensor] = "l2-norm",
    data: DataSet | None = None,
    loss: Loss | None = None,
    samples: int = 64,
    layers: Sequence[str] = (),
    round_to: int = 8,
    steps: int = 1,
    seed: int = 1,
    progress: Say = _silent,
) -> nn.Module:
    """Return the network with fewer channels: its tensors are smaller, its outputs' shapes the same.

    Args:
        macs, parameters: shares to remove, 0 to below 1; the weakest channels of all layers go until both are reached.
        ratios: instead of them, pattern of layer names -> share of the layer's output channels to remove.
        criterion: "bn-scale", "l2-norm", "fpgm", "taylor", "taylor-abs", "taylor-sq", "random", or a function from a
            group of coupled channels to a score for each, float (channels,); the lowest go.
        data: for the Taylor criteria: `samples` of its training images are looked at.
        loss: for them, loss(outputs, targets) -> (N,); none: the task's.
        layers: patterns of the layers that may be pruned; none: all but those that make outputs.
        round_to: what remains of a layer is a multiple of this.
        steps: the shares are approached in so many equal parts, with scores computed again after each.

    Raises EdgeError for shares that can't be reached, and where the pruned network would not run.

    Example:
        >>> small = compress.prune(network, torch.zeros(1, 3, 32, 32), macs=0.5)  # doctest: +SKIP
    """
    settings = Pruning(
        ratios=dict(ratios or {}),
        criterion=criterion,
        round_to=round_to,
        macs=macs,
        parameters=parameters,
        layers=tuple(layers),
        steps=steps,
        samples=samples,
        seed=seed,
    )
    examples = None
    if data is not None:
        examples = training_examples(data, data.spec, samples)
        examples = replace(examples, loss=loss or examples.loss)
    return prune_channels(copy.deepcopy(network), settings, as_inputs(example_inputs), examples, progress)


def ghost(
    network: nn.Module,
    example_inputs: Tensor | Inputs,
    *,
    layers: Sequence[str],
    cheap_kernel: int = 3,
    init: str = "trained",
    seed: int = 1,
    progress: Say = _silent,
) -> nn.Module:
    """Return the network with ghost convolutions in the place of those whose names match `layers`.

    Args:
        example_inputs: with init = "trained" a batch of real inputs, 32 or more: each ghost is fitted to what the
            convolution made of them. With "random" any will do.
        cheap_kernel: side of the depthwise filters, odd.

    Raises EdgeError for a pattern that matches nothing, and a convolution that can't be divided.

    Example:
        >>> small = compress.ghost(network, images, layers=["stage*.conv3"])  # doctest: +SKIP
    """
    settings = Ghosting(tuple(layers), cheap_kernel, init)
    _refuse(settings.faults(Preprocessing(8, 8), ()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ghost_layers(copy.deepcopy(network), settings, as_inputs(example_inputs), progress)


def train(
    network: nn.Module,
    data: DataSet,
    *,
    epochs: int,
    loss: Loss | None = None,
    metric: Metric | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Say = _silent,
    **settings: Any,
) -> nn.Module:
    """Return the trained network, on the processor, in evaluation mode.

    Args:
        loss: loss(outputs, targets) -> (N,), each image's own; none: the task's.
        metric: metric(outputs, targets) -> number of the validation images, after each epoch, higher is better.
        checkpoint: file that is written after each epoch; a training that was interrupted goes on from it.
        settings: the fields of `compress.steps.train.Training`: lr, batch, size, weight_decay, optimizer, seed,
            augment (a dictionary of `compress.steps.augmentation.Augmentation`'s), ...

    Raises EdgeError for settings out of range, and where the loss is no finite number any more.

    Example:
        >>> trained = compress.train(network, data, epochs=10, lr=0.05, augment={"flip": True})  # doctest: +SKIP
    """
    return _trained(network, None, data, _training(data, epochs, settings), loss, metric, checkpoint, progress)


def distill(
    student: nn.Module,
    teacher: nn.Module,
    data: DataSet,
    *,
    epochs: int,
    share: float = 0.5,
    temperature: float = 4.0,
    loss: Loss | None = None,
    metric: Metric | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Say = _silent,
    **settings: Any,
) -> nn.Module:
    """Return the student, trained on the labels and on its teacher's outputs; see `train`.

    The loss is (1 - share) * loss(y, labels) + share * T^2 * divergence(y, teacher(x), T), T being the temperature:
    Hinton et al. 2015.

    Args:
        teacher: reads what the student reads; it is not changed.
        share: of the teacher in the loss, above 0 to 1. temperature: 0.1 to 100.

    Example:
        >>> small = compress.distill(small, network, data, epochs=10)  # doctest: +SKIP
    """
    training = replace(_training(data, epochs, settings), distill=Distillation(share, temperature))
    _refuse(training.distill.faults())
    if not share:
        raise EdgeError("share is 0: expected a share of the teacher above 0; use compress.train without one")
    return _trained(student, teacher, data, training, loss, metric, checkpoint, progress)


def _training(data: DataSet, epochs: int, settings: Mapping[str, Any]) -> Training:
    fields = [field.name for field in dataclasses.fields(Training) if field.name not in ("epochs", "distill")]
    if unknown := sorted(set(settings) - set(fields)):
        raise EdgeError(f"training has no setting {', '.join(unknown)}: expected some of {', '.join(fields)}")
    chosen = dict(settings)
    if isinstance(chosen.get("augment"), Mapping):
        try:
            chosen["augment"] = Augmentation(**chosen["augment"])
        except TypeError as error:
            raise EdgeError(f"augment is {dict(settings['augment'])}: {error}; correct it") from None
    training = Training(epochs=epochs, **chosen)
    _refuse(training.faults(data.spec, ()))
    return training


def _trained(
    network: nn.Module,
    teacher: nn.Module | None,
    data: DataSet,
    training: Training,
    loss: Loss | None,
    metric: Metric | None,
    checkpoint: str | os.PathLike[str] | None,
    progress: Say,
) -> nn.Module:
    own = replace(data, task=customized(data.task, loss, metric))
    with scratch("train") as folder, torch.random.fork_rng(devices=[]):
        path = Path(checkpoint) if checkpoint else folder / "epochs.pt"
        trained = train_network(copy.deepcopy(network), own, data.spec, training, path, progress, teacher=teacher)
    return trained.eval()


def evaluate(
    model: nn.Module | str | os.PathLike[str],
    data: DataSet,
    *,
    metric: Metric | None = None,
    part: str = "test",
    progress: Say = _silent,
) -> float:
    """Return the metric of a network, or of a model file as the device's own code runs it.

    Args:
        metric: metric(outputs, targets) -> number, for logits (N, classes) or (N, height, width, 1) in float32, and
            the data set's `truth`; none: the task's, such as AUC, accuracy or Dice.
        part: "test" or "val". Without test images of its own, a data set tests on the validation images.

    Example:
        >>> compress.evaluate("model.tflite", data)  # doctest: +SKIP
    """
    if part not in ("val", "test"):
        raise EdgeError(f"part is {part!r}: expected 'val' or 'test'")
    split, decision = getattr(data, part), None
    if isinstance(model, nn.Module):
        outputs = logits(copy.deepcopy(model), split, data.spec)
    else:
        engine = verify.open_engine(Path(model))
        outputs = verify.edge_logits(engine, split, progress)
        decision = getattr(engine.file.manifest.task, "decision", None)
    if metric is not None:
        return measured(metric, outputs, split.truth)
    return float(data.task.evaluate(outputs, replace(data, val=split), decision))


def convert(
    network: nn.Module,
    data: DataSet,
    output: str | os.PathLike[str],
    *,
    type: str = "int8",
    calibration: int = 128,
    route: str = AUTO,
    choices: Choices = DEFAULT,
    task: str | Task = "classification",
    title: str = "",
    positive: str = "",
    threshold: float | None = None,
    progress: Say = _silent,
) -> Path:
    """Write the network as a model file that edge-infer runs, compared with PyTorch; return the file's path.

    The file's preprocessing and labels are the data set's; `edge-compress show --tensors` prints int8 against float,
    tensor by tensor. A plain TFLite flatbuffer, of networks with several inputs
    too, comes from `compress.convert.tflite.to_tflite`.

    Args:
        network: maps float32 (N, channels, height, width) to logits.
        output: the file; its name without the suffix is the model's.
        type: "int8" (inputs and outputs included) or "float32".
        calibration: training images whose activations' ranges set the int8 steps.
        route: to the float32 file: a name of `compress.convert.routes.ROUTES`; "auto": the installed ones, in
            that order, until one's file is proved to be the network.
        choices: how float32 becomes int8.
        task: the data set's.
        title: one line for people; none: the network's class.
        positive, threshold: the label that is decided for by its score, and from which score on; without a threshold,
            the highest score decides, and masks begin at 0.5.

    Raises EdgeError where an operator can't be converted, and where the file gives other outputs than the network.

    Example:
        >>> compress.convert(small, data, "model.tflite")  # doctest: +SKIP
    """
    if type not in conversion.KINDS:
        raise EdgeError(f"type is {type!r}: expected {' or '.join(map(repr, conversion.KINDS))}")
    known, path = task_named(task, CALL) if isinstance(task, str) else task, Path(output)
    inputs = training_samples(data, data.spec, calibration)
    made = conversion.converted(copy.deepcopy(network), inputs, type, route, choices, progress)
    table = tensors.rows(one._asdict() for one in made.tensors)
    members = {tensors.MEMBER: tensors.member(table)} if table else {}
    manifest = {
        "name": path.stem.lower(),
        "title": title or network.__class__.__name__,
        "task": known.name,
        "inputs": [data.spec.record()],
        "outputs": _outputs(known, data, positive, threshold),
        "provenance": {"network": _path_of(network), "data": data.summary},
    }
    with scratch("convert") as folder:
        what = str(path), f"the manifest of {path}"
        packing.pack(made.flatbuffer, manifest, folder / "model.tflite", *what, members)
        some = _first(data.val, COMPARED)
        reference = logits(copy.deepcopy(network), some, data.spec)
        found = verify.edge_logits(verify.open_engine(folder / "model.tflite"), some, progress)
        verify.check_conversion(reference, found, tensors.named(table))
        write_beside(path, (folder / "model.tflite").read_bytes())
    return path


def _outputs(task: Task, data: DataSet, positive: str, threshold: float | None) -> list[dict[str, Any]]:
    label = positive or data.labels[-1]
    recipe = Recipe("data", "data", "none:none", data.spec, (), data=Data(positive=label), task=task.name)
    outputs = task.outputs(recipe, data.labels)
    if threshold is not None:
        outputs[0]["decision"] = {**(outputs[0].get("decision") or {"label": label}), "threshold": threshold}
    return outputs


def _first(split: Split, count: int) -> Split:
    chosen = np.random.default_rng(0).permutation(len(split))[:count]
    return Split(split.pixels[chosen], split.truth[chosen], tuple(split.names[i] for i in chosen))


def _path_of(network: nn.Module) -> str:
    return f"{network.__class__.__module__}:{network.__class__.__qualname__}"


@dataclass(frozen=True)
class Result:
    """What a run made.

    Attributes:
        network: the compressed network, in evaluation mode.
        input: what it reads; one channel instead of three after a step fold-grey.
        model: path of the model file; its neighbours are in docs/recipes.md.
        ledger: one row for each step, what it left and how good that was.
        report: test metrics with their intervals, and all else that was measured.
        lines: the report for people.
    """

    network: nn.Module
    input: Input
    model: Path
    ledger: tuple[Row, ...]
    report: Mapping[str, Any]
    lines: tuple[str, ...]


def run(
    recipe: str | os.PathLike[str] | Mapping[str, Any],
    *,
    data: Source | DataSet,
    output: str | os.PathLike[str],
    network: nn.Module | None = None,
    weights: str | os.PathLike[str] | None = None,
    labels: Sequence[str] = (),
    loss: Loss | None = None,
    metric: Metric | None = None,
    changed: bool = False,
    on_row: Callable[[Row], None] = lambda row: None,
    log: Say = _silent,
    progress: Say = _silent,
) -> Result:
    """Run a recipe: train, prune, convert, verify. What is done already is taken from the checkpoints in `output`.

    Args:
        recipe: a file, the name of a shipped one, or its content as a dictionary (docs/recipes.md). In a dictionary a
            step's `criterion` may be a function, and `network` is not needed where a network is given.
        data: see `load_data`; the recipe says its input, task and division. Or what `load_data` returned.
        output: the folder of model, report, ledger and checkpoints.
        network: the network to begin with, in the place of the recipe's function. It is not changed.
        weights: a trained network's state_dict to begin with.
        labels: see `load_data`.
        loss: loss(outputs, targets) -> (N,), each image's own, in the place of the task's.
        metric: metric(outputs, targets) -> number, higher is better, of the validation images, for the ledger.
        changed: whether the recipe may differ from the one of its name that `output` was begun with.
        on_row: gets each row of the ledger as soon as it is there.
        log, progress: get lines to be kept, and what is being done.

    Raises EdgeError for what is wrong with any of these, before anything is trained, and where a step can't be done.

    Example:
        >>> result = compress.run("recipe.toml", data="images", output="out", on_row=print)  # doctest: +SKIP
    """
    if isinstance(recipe, Mapping):
        given = {} if network is None else {"network": f"{network.__class__.__module__}:{network.__class__.__name__}"}
        raw, where = given | dict(recipe), str(Path.cwd() / "recipe")
    else:
        raw, where = recipe_file.read(os.fspath(recipe))
    parsed = parse(raw, where)
    if weights:
        parsed = replace(parsed, weights=str(Path(weights).absolute()))
    task = task_named(parsed.task, where)
    own = customized(task, loss, metric)
    source: Path | DataSet
    if isinstance(data, DataSet):
        source = replace(data, task=own)
    elif isinstance(data, str | os.PathLike):
        source = Path(data)
    else:
        about = parsed.data
        source = load_data(
            data,
            parsed.input,
            task=own,
            labels=labels,
            positive=about.positive,
            validation=about.validation,
            progress=progress,
        )
    running = Run(parsed, source, Path(output), log, progress, changed, network=network, task=own, on_row=on_row)
    model = running()
    report = json.loads(model.with_suffix(".report.json").read_text())
    lines = (*running.ledger.lines(), "", *table(report, parsed, own))
    assert running.compressed is not None
    compressed, spec = running.compressed.network.eval(), running.compressed.spec
    return Result(compressed, spec, model, tuple(running.ledger.rows), report, lines)


def _refuse(faults: Any) -> None:
    for name, found, expected in faults:
        raise EdgeError(f"{name} is {found!r}: expected {expected}")
