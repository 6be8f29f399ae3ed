"""The route onnx2tf: ONNX, then a Keras network, then TensorFlow's converter, whose float32 half alone is used.

The TensorFlow half runs in a process of its own, one for all networks that are asked for together.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from compress.convert import onnx
from compress.convert.quantize import model
from compress.convert.repairs import repaired
from compress.convert.routes import process
from compress.convert.routes.route import Float32, Source
from compress.convert.routes.tidy import tidied
from edge.errors import EdgeError

_WORKER = Path(__file__).with_name("onnx2tf_worker.py")
_STANDS_FOR_GELU = {"Erf": False, "Erfinv": True}  # TensorFlow's name: whether by tanh
_TOOLS = ("onnx2tf", "tensorflow", "onnx", "numpy")


class Onnx2tf:
    """The route; see `compress.convert.routes.route.Route`."""

    name = "onnx2tf"
    install = "make .venv/ready"

    def is_installed(self) -> bool:
        return all(importlib.util.find_spec(name) is not None for name in _TOOLS)

    def tools(self) -> Mapping[str, str]:
        return {name: metadata.version(name) for name in ("torch", *_TOOLS)}

    def convert(self, sources: Sequence[Source]) -> Iterator[Float32]:
        if not self.is_installed():
            missing = [name for name in _TOOLS if importlib.util.find_spec(name) is None]
            raise EdgeError(
                f"the route {self.name} is not installed (no {', '.join(missing)}): expected the tools that compress "
                f"networks, on Python 3.11; install them with `{self.install}`",
                "conversion.missing",
            )
        worker = process.Worker(self.name, [sys.executable, "-P"], _WORKER, self.tools(), _variables())
        where = f"the file of the route {self.name}"
        for made in process.converted(worker, sources, _prepare):
            yield made._replace(flatbuffer=tidied(_with_gelu(made.flatbuffer, where), where))


def _prepare(source: Source, place: Path) -> bytes:
    """Write a network as ONNX to the folder `place`; return a digest of it."""
    network = repaired(source.network, Onnx2tf.name, source.examples)
    onnx.export(network, source.examples, place / "network.onnx")
    operators = _WORKER.with_name("onnx2tf_operators.py").read_bytes()
    return hashlib.sha256((place / "network.onnx").read_bytes() + operators).digest()


def _with_gelu(flatbuffer: bytes, where: str) -> bytes:
    """Put TFLite's GELU where the worker has what stands for it: see `_gelu` in onnx2tf_operators.py.

    Raises EdgeError ("conversion.operator") where there are other operators that TFLite lacks.
    """
    made = model.read(flatbuffer, where)
    for operator in made.operators:
        code = made.raw.operatorCodes[operator.opcodeIndex]
        if max(code.builtinCode, code.deprecatedBuiltinCode) != schema.BuiltinOperator.CUSTOM:
            continue
        kind = made.kind(operator)
        if kind not in _STANDS_FOR_GELU:
            raise EdgeError(
                f"{where} has the operator {kind}: expected operators that TFLite has; write the layer with those",
                "conversion.operator",
            )
        operator.opcodeIndex = made.code("GELU", 1)
        operator.customOptions = None
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.GeluOptions, schema.GeluOptionsT()
        operator.builtinOptions.approximate = _STANDS_FOR_GELU[kind]
    return model.write(made, where)


def _variables() -> dict[str, str]:
    return os.environ | {
        "PYTHONHASHSEED": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
