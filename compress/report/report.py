"""The end of a run: metrics of the test images, float beside int8, golden vectors, the manifest, the model card."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from compress.convert import model_file
from compress.convert.golden import golden, installed
from compress.convert.verify import check_conversion, edge_logits, latency, open_engine
from compress.cost import cost
from compress.data.remarks import remarks
from compress.data.split import DataSet, Split
from compress.recipe import Recipe
from compress.report import tensors
from compress.report.card import card
from compress.report.ledger import Ledger
from compress.state.checkpoint import Weights
from compress.state.conversion import Converted
from compress.state.stage import State
from compress.steps.registry import kind_of
from compress.steps.step import described
from compress.steps.train import logits
from compress.tasks import metrics
from compress.tasks.base import Task
from edge.answer import Decision
from edge.manifest import FORMAT, VERSION
from edge.preprocess import int8_table
from edge.runtime import open_runtime
from edge.strict_json import dumps

METRICS = 2  # of the metrics' form: those that an earlier one left behind are made again
TOOLS = ("torch", "torch-pruning", "onnx", "onnx2tf", "tensorflow", "ai-edge-litert", "numpy", "pillow")


@dataclass(frozen=True)
class Finished:
    """What a report needs of a run whose steps are done.

    Attributes:
        network: where the network is from, as the manifest names it.
        weights: those that it began with, if any.
        output, checkpoints: folders.
        ledger: of the steps. judge: evaluates the ledger's networks again, by the model's own decision.
        progress: gets what is being done.
    """

    recipe: Recipe
    network: str
    weights: Weights | None
    data: DataSet
    task: Task
    output: Path
    checkpoints: Path
    ledger: Ledger
    judge: Callable[[Decision], None]
    progress: Callable[[str], None]


def measure(run: Finished, baseline: State, state: State, converted: Converted) -> dict[str, Any]:
    """Write `NAME.tflite`, `NAME.report.json` and `NAME.md`; return the report.

    `compress.tasks.base.Task.metrics` says what the task's part of it is.

    Raises EdgeError where the conversion lost the network: `compress.convert.verify.check_conversion`.
    """
    recipe, data, flatbuffers = run.recipe, run.data, converted.flatbuffers
    stem = run.output / recipe.name
    written = stem.with_name(f"{stem.name}.report.json")
    positive = hashlib.sha256(recipe.data.positive.encode()).hexdigest()[:8]
    key = f"{state.key}-{_digest(flatbuffers)}-{positive}-{recipe.name}"
    draft = run.checkpoints / f"{key}.draft.tflite"

    manifest = _manifest(run, state, converted)
    model_file.write(draft, flatbuffers["int8"], manifest, {})
    engine = open_engine(draft)

    def compare() -> dict[str, Any]:
        outputs = {name: (_float(s, data.val), _float(s, data.test)) for name, s in networks.items()}
        val, test = (edge_logits(engine, split, run.progress) for split in (data.val, data.test))
        outputs["int8"] = val, test
        logits_of_float, logits_of_int8 = (np.concatenate(outputs[name]) for name in ("float", "int8"))
        check_conversion(logits_of_float, logits_of_int8, tensors.named(quantized))
        found = run.task.metrics(recipe, data, outputs)
        if sheet := run.task.sheet(recipe, data, outputs, found):
            model_file.write_beside(worst, sheet)
        return found

    def in_turns() -> dict[str, float]:
        run.progress("timing the baseline and the compressed network in turns")
        return latency(flatbuffers)

    quantized = tensors.rows(converted.tensors)
    networks = {"baseline": baseline, "float": state}
    rule = f"{key}-{recipe.data.minimum_area:g}-{METRICS}"
    worst = run.checkpoints / f"{rule}.worst.png"
    result = _once(run.checkpoints / f"{rule}.figures.json", compare)
    result["data"] = data.summary  # with what today's recipe says of them
    result["latency_ms"] = _once(run.checkpoints / f"{key}.latency.json", in_turns)
    result["measured"] = _measured(run, result, baseline, state)
    result["worst_tensors"] = tensors.named(quantized)
    entry = engine.runtime.inputs[0]
    table = int8_table(state.spec, entry.scale, entry.zero_point)
    runtimes = [open_runtime(flatbuffers["int8"], name) for name in installed()]
    manifest["golden"], members = golden(state.spec, table, run.task.golden, runtimes)
    members[tensors.MEMBER] = tensors.member(quantized)
    manifest["outputs"] = run.task.outputs(recipe, data.labels, result)
    if run.task.default_decision(recipe) is not None:
        run.judge(Decision(**result["decision"]))
        manifest["provenance"]["ledger"] = [asdict(row) for row in run.ledger.rows]
    path = stem.with_name(f"{stem.name}.tflite")
    manifest["measured"] = result["measured"] | {"file_bytes": 0}
    while True:  # the file's size is one of its own fields; it is right as soon as its number of digits is
        model_file.write(path, flatbuffers["int8"], manifest, members)
        size = path.stat().st_size
        if manifest["measured"]["file_bytes"] == size:
            break
        manifest["measured"]["file_bytes"] = size
    draft.unlink()
    result["measured"] = manifest["measured"]
    if worst.exists():
        model_file.write_beside(stem.with_name(f"{stem.name}.worst.png"), worst.read_bytes())
    model_file.write_beside(written, _json(result))
    page = card(manifest, result, run.task.markdown(result))
    model_file.write_beside(stem.with_name(f"{stem.name}.md"), page.encode())
    return result


def _once(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what `make` makes, or made in an earlier run and left at `path`."""
    if not path.exists():
        model_file.write_beside(path, _json(make()))
    made: dict[str, Any] = json.loads(path.read_text())
    return made


def _float(state: State, split: Split) -> np.ndarray:
    return logits(state.network, split, state.spec)


def _measured(run: Finished, result: dict[str, Any], baseline: State, state: State) -> dict[str, float]:
    spent, times = cost(state.network, state.inputs), result["latency_ms"]
    before = cost(baseline.network, baseline.inputs)
    return {
        "parameters": spent.parameters,
        "macs": spent.macs,
        "macs_executed": spent.macs_executed,
        "parameters_removed": round(1 - spent.parameters / before.parameters, 4),
        "macs_removed": round(1 - spent.macs / before.macs, 4),
        run.task.drop: round(result["drop"], 3),
        "cosine": round(result["cosine"], 5),
        "speedup": round(times["baseline.float32"] / times["int8"], 2),
        # a test folder without one of the classes has no AUC
        **{
            name: round(metric["value"], 5)
            for name, metric in result["test"]["int8"].items()
            if metric["value"] is not None
        },
        **({"agreement": round(result["agreement"]["value"], 5)} if "agreement" in result else {}),
    }


def _manifest(run: Finished, state: State, converted: Converted) -> dict[str, Any]:
    recipe = run.recipe
    steps = [{"kind": kind_of(step), **described(step)} for step in recipe.steps]
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": recipe.name,
        "title": recipe.title,
        "task": run.task.name,
        "inputs": [state.spec.record()],
        "outputs": run.task.outputs(recipe, run.data.labels),
        "targets": [asdict(target) for target in recipe.targets],
        "measured": {},
        "provenance": {
            "network": run.network,
            **({"weights": {"file": run.weights.path.name, "sha256": run.weights.sha256}} if run.weights else {}),
            "steps": steps,
            "seed": recipe.seed,
            "calibration": recipe.calibration,
            "conversion": converted.record,
            "float32": _kept(recipe, converted.flatbuffers["float32"]),
            "notes": recipe.notes,
            "data": {"source": recipe.data.source, "licence": recipe.data.licence} | run.data.summary,
            "ledger": [asdict(row) for row in run.ledger.rows],
            "tools": {"python": platform.python_version()} | {name: metadata.version(name) for name in TOOLS},
        },
        "runtime": {"type": "int8", "operators": model_file.operators(converted.flatbuffers["int8"])},
        "golden": [],
    }


def _kept(recipe: Recipe, float32: bytes) -> dict[str, Any]:
    """Return which file has the weights in float: another quantization needs no other training."""
    digest = hashlib.sha256(float32).hexdigest()
    return {"file": f"{recipe.name}.float32.tflite", "bytes": len(float32), "sha256": digest}


def _digest(flatbuffers: Mapping[str, bytes]) -> str:
    return hashlib.sha256(b"".join(flatbuffers[name] for name in sorted(flatbuffers))).hexdigest()[:16]


def _json(value: Any) -> bytes:
    return (dumps(value, "the report", indent=1) + "\n").encode()


def table(result: dict[str, Any], recipe: Recipe, task: Task) -> list[str]:
    """Return the report as lines for people: metrics of the test images with their intervals, float beside int8, each
    target met or missed, and what the task has to say beyond them.
    """
    columns = list(next(iter(result["test"].values())))
    lines = [f"{'test images':<12}" + "".join(f"{name:>26}" for name in columns)]
    for name, row in result["test"].items():
        cells = [metrics.cell(metric) for metric in row.values()]
        lines.append(f"{name:<12}" + "".join(f"{cell:>26}" for cell in cells))
    lines += task.lines(result)
    lines.append(f"float to int8: logits' cosine {result['cosine']:.5f}")
    lines += [f"  {difference}" for difference in result["differences"]]
    lines.append(f"worst tensors: {result['worst_tensors']}")
    lines += [f"data: {remark}" for remark in remarks(result["data"])]
    for target in recipe.targets:
        value = result["measured"].get(target.name)
        if value is None:
            lines.append(f"target {target.name}: {target.target:g}, measured on the device at every run")
            continue
        met = value <= target.target if target.better == "lower" else value >= target.target
        sign = "<=" if target.better == "lower" else ">="
        lines.append(
            f"target {target.name} {sign} {target.target:,.10g}: measured {value:,.10g}, {'met' if met else 'MISSED'}"
        )
    return lines
