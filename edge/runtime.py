"""The two TFLite runtimes behind one small door, and the truth about which of them ran and how."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from edge.errors import EdgeError, was_interrupted

NAMES = ("auto", "litert", "tflite")
MAX_THREADS = 64

_PACKAGES = {"litert": "ai-edge-litert", "tflite": "tflite-runtime"}
_MODULES = {"litert": "ai_edge_litert", "tflite": "tflite_runtime"}


class Tensor(NamedTuple):
    """A network's input or output: `dtype` is "int8" or "float32"; for int8, real = (q - zero_point) * scale."""

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


class Runtime:
    """A network that is loaded and ready to run; made by `open_runtime`.

    Attributes:
        name: "litert" or "tflite".
        version: of the runtime's package.
        threads: how many threads it was given.
        delegate: "xnnpack" (took the whole graph), "xnnpack in part" or "none".
        kernel_path: whose kernels compute: "xnnpack" or "builtin" (see docs/model-file.md).
        input, output: the one input and the one output.
    """

    def __init__(self, interpreter: Any, name: str, version: str, threads: int) -> None:
        self.name, self.version, self.threads = name, version, threads
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise EdgeError(f"the network has {len(inputs)} inputs and {len(outputs)} outputs: expected one of each")
        self.input, self.output = _tensor(inputs[0]), _tensor(outputs[0])
        self._interpreter, self._in, self._out = interpreter, inputs[0]["index"], outputs[0]["index"]
        self.delegate = _delegate(interpreter, self._out)
        self.kernel_path = "builtin" if self.delegate == "none" else "xnnpack"

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Return the raw output, of `output`'s shape and type, for a `tensor` of `input`'s shape and type.

        Raises EdgeError where the runtime refuses it.
        """
        try:
            self._interpreter.set_tensor(self._in, tensor)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise EdgeError(f"{_PACKAGES[self.name]} {self.version} can't run the network: {_line(error)}") from None
        return self._interpreter.get_tensor(self._out)


def open_runtime(flatbuffer: bytes, name: str = "auto", threads: int = 1) -> Runtime:
    """Return the network in `flatbuffer` (what follows it in a model file may follow), loaded by runtime `name`.

    "auto" is LiteRT where it is installed, else tflite-runtime. Raises EdgeError where the runtime is not installed or
    does not start, and where it refuses the network.
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MAX_THREADS:
        raise EdgeError(f"{threads!r} threads were asked for: expected a whole number from 1 to {MAX_THREADS}")
    name, interpreter_class, version = import_runtime(name)
    try:
        with _quiet():
            interpreter = interpreter_class(model_content=flatbuffer, num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise EdgeError(
            f"{_PACKAGES[name]} {version} can't load the network ({_line(error)}): "
            "upgrade the runtime, or convert the network again with operators that it has"
        ) from None
    except (SystemError, ImportError) as error:  # tflite-runtime meets numpy 2 only here
        raise _broken(name, error) from None
    return Runtime(interpreter, name, version, threads)


def import_runtime(name: str = "auto") -> tuple[str, Any, str]:
    """Return the runtime's own name, its Interpreter class and its version; EdgeError where it can't be had."""
    if name not in NAMES:
        raise EdgeError(f"there is no runtime {name!r}: expected one of {', '.join(NAMES)}")
    for candidate in ("litert", "tflite") if name == "auto" else (name,):
        module = _MODULES[candidate]
        try:
            with _quiet():
                interpreter = __import__(f"{module}.interpreter", fromlist=["Interpreter"]).Interpreter
        except ModuleNotFoundError as error:
            if error.name != module:
                raise _broken(candidate, error) from None
        except (ImportError, AttributeError, OSError) as error:
            raise _broken(candidate, error) from None
        else:
            return candidate, interpreter, _version(candidate)
    if name == "auto":
        raise EdgeError("no TFLite runtime is installed: install one with `pip install ai-edge-litert`")
    raise EdgeError(f"the runtime {name} is not installed: install it with `pip install {_PACKAGES[name]}`")


def _broken(name: str, error: Exception) -> EdgeError:
    if was_interrupted(error):
        raise KeyboardInterrupt from None
    package = _PACKAGES[name]
    if name == "tflite" and int(np.__version__.split(".")[0]) >= 2:
        return EdgeError(
            f"{package} does not work with numpy {np.__version__}: expected numpy 1; install it with "
            '`pip install "numpy<2"`, or use `pip install ai-edge-litert`'
        )
    other = "tflite" if name == "litert" else "litert"
    return EdgeError(
        f"{package} is installed but does not start ({_line(error)}): install it again with "
        f"`pip install --force-reinstall {package}`, or choose --runtime {other}"
    )


def _version(name: str) -> str:
    version = getattr(sys.modules[_MODULES[name]], "__version__", None)
    if version is None:
        from importlib.metadata import version as installed

        version = installed(_PACKAGES[name])
    return str(version)


def _tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    shape = tuple(int(size) for size in details["shape"])
    return Tensor(shape, np.dtype(details["dtype"]).name, float(scale), int(zero_point))


def _delegate(interpreter: Any, output: int) -> str:
    """Return what took the graph, read from the nodes after allocation.

    A delegate adds nodes called DELEGATE behind the ones that it replaces. No delegate but XNNPACK is ever loaded, so
    they are XNNPACK's. It has the whole graph where one such node gives the network's output and reads nothing that
    another node computes.
    """
    nodes = interpreter._get_ops_details()
    delegates = [node for node in nodes if node["op_name"] == "DELEGATE"]
    if not delegates:
        return "none"
    computed = {int(index) for node in nodes if node not in delegates for index in node["outputs"]}
    reads = {int(index) for index in delegates[0]["inputs"]}
    whole = len(delegates) == 1 and output in delegates[0]["outputs"] and not reads & computed
    return "xnnpack" if whole else "xnnpack in part"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what C++ code writes to standard error; afterwards pass on all but lines of mere information.

    After an exception nothing is passed on: its message says it.
    """
    try:
        saved = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)  # a flood is cut off and can't block
    os.dup2(writer, 2)
    held = b""
    try:
        yield
        with contextlib.suppress(BlockingIOError):
            held = os.read(reader, 65536)
    finally:
        os.dup2(saved, 2)
        for end in (saved, reader, writer):
            os.close(end)
    for line in held.splitlines(keepends=True):
        if not line.startswith(b"INFO:"):
            os.write(2, line)
