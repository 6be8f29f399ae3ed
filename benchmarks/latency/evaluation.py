"""How well the tables predict whole networks on this machine: the shipped ones in int8, and the same in float32.

    python -m benchmarks.latency.evaluation [--runtime native] [--history FILE]

Takes the newest table of the history (`edge-bench latency` makes one) and times each network beside it. Few of
these networks' operators are points of the table; the others are interpolated.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

import edge.model
from benchmarks import table
from benchmarks.history.store import DEFAULT, open_store
from benchmarks.inventory import load
from benchmarks.latency import timing
from benchmarks.latency.operators import TYPES, Operator, grid
from benchmarks.latency.prediction import known
from benchmarks.latency.timing import Setting, Timer
from benchmarks.measurement import RUNTIMES
from compress.convert import model_file
from edge.files import write_beside
from edge.model import ModelFile

WITHIN = 0.15
STARTS, INVOKES = 9, 30


def in_float(file: ModelFile, path: Path) -> None:
    """Write the same network with float32 tensors and the values that its int8 weights stand for."""
    model = schema.ModelT.InitFromPackedBuf(file.flatbuffer, 0)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            buffer, quantization = model.buffers[tensor.buffer], tensor.quantization
            if quantization is None or quantization.scale is None or len(quantization.scale) == 0:
                continue  # sizes and axes
            if buffer.data is not None and len(buffer.data):
                kind = np.int8 if tensor.type == schema.TensorType.INT8 else np.int32
                values = np.frombuffer(np.asarray(buffer.data, np.uint8).tobytes(), kind).reshape(tensor.shape)
                shape = [1] * values.ndim
                shape[quantization.quantizedDimension if len(quantization.scale) > 1 else 0] = len(quantization.scale)
                scaled = values.astype(np.float32) * np.asarray(quantization.scale, np.float32).reshape(shape)
                tensor.buffer = len(model.buffers)  # of its own: several tensors may share one
                model.buffers.append(schema.BufferT())
                model.buffers[-1].data = np.frombuffer(scaled.tobytes(), np.uint8)
            tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
    for code in model.operatorCodes:
        code.version = 1
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    flatbuffer = bytes(builder.Output())
    name = f"{file.manifest.name}-float32"
    runtime = {"type": "float32", "operators": model_file.operators(flatbuffer)}
    raw: dict[str, Any] = {**file.manifest.raw, "name": name, "runtime": runtime, "golden": [], "targets": []}
    del raw["model"]  # the writer's
    write_beside(path, model_file.pack(path, flatbuffer, raw, {}))


def _operators(path: Path) -> Iterator[Operator]:
    """Return a network's operators in the table's words."""
    graph = edge.model.read(path).network().graphs[0]
    return (operator for node in graph.operators if (operator := known(node, graph)) is not None)


def main() -> None:
    """Measure and write `results/latency.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0])
    parser.add_argument("--history", type=Path, default=DEFAULT)
    options = parser.parse_args()
    device = load(None).devices[0]
    setting = Setting(device.name, options.runtime, 1)
    with open_store(options.history, create=False) as store:
        night, times = timing.load(store, setting, grid())
    with tempfile.TemporaryDirectory() as name:
        paths: dict[tuple[str, str], Path] = {}
        for path in edge.model.shipped():
            file = edge.model.read(path)
            twin = Path(name) / f"{file.manifest.name}.tflite"
            in_float(file, twin)
            paths |= {(file.manifest.name, "int8"): path, (file.manifest.name, "float32"): twin}
        points = Counter(operator in times.times for path in paths.values() for operator in _operators(path))
        found = {what: times.predict(edge.model.read(path).network()).ms for what, path in paths.items()}
        measured: dict[tuple[str, str], list[float]] = {what: [] for what in paths}
        with device.open(paths.values(), print) as session:
            timer = Timer(session, setting)
            for _ in range(STARTS):
                for what, path in paths.items():
                    measured[what].append(timer.network(path, INVOKES, timing.dot()))
    rows = []
    for model, kind in sorted(paths, key=lambda what: (TYPES.index(what[1]), what[0])):
        least, predicted = min(measured[model, kind]), found[model, kind]
        within = table.met(abs(predicted / least - 1) <= WITHIN)
        rows.append([model, kind, f"{predicted:.3f}", f"{least:.3f}", f"{predicted / least:.2f}", within])
    table.write(
        "latency",
        "Networks' invokes, predicted from single operators",
        f"python -m benchmarks.latency.evaluation --runtime {options.runtime}",
        ["network", "type", "predicted ms", "measured ms", "ratio", f"target: within {WITHIN:.0%}"],
        rows,
        f"One thread, {options.runtime}, {len(grid()):,} operators, the table of {night}. Measured: the fastest invoke "
        f"of {STARTS} processes in turns, {INVOKES} invokes each; so are the operators, of {timing.PASSES} processes. "
        "float32: the same networks with the values that their int8 weights stand for. Of all networks' "
        f"{sum(points.values())} operators {points[True]} are points of the table; the others are interpolated.",
    )


if __name__ == "__main__":
    main()
