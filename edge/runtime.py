"""The two TFLite runtimes behind one small door, and the truth about which of them ran and how."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from threading import RLock
from typing import Any, NamedTuple

import numpy as np

from edge import delegates
from edge.errors import EdgeError, was_interrupted

NAMES = ("auto", "litert", "tflite", *delegates.RUNTIMES)
MAX_THREADS = 64
PACKAGES = {"litert": "ai-edge-litert", "tflite": "tflite-runtime"}

_MODULES = {"litert": "ai_edge_litert", "tflite": "tflite_runtime"}
_CANDIDATES = {"auto": ("litert", "tflite"), **delegates.RUNTIMES}
_QUIET = RLock()


class Tensor(NamedTuple):
    """A network's input or output: `dtype` is "int8" or "float32"; for int8, real = (q - zero_point) * scale."""

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


class Runtime:
    """A network that is loaded and ready to run; made by `open_runtime`, and by `edge.delegates`.

    Attributes:
        name: "litert" or "tflite".
        version: of the runtime's package.
        threads: how many threads it was given.
        delegate: "xnnpack" (took the whole graph), "xnnpack in part" or "none"; the same with "edgetpu".
        kernel_path: whose kernels compute: "xnnpack", "builtin" or "edgetpu" (see docs/model-file.md).
        taken, operators: how many operators of the graph the delegate took, and of how many.
        inputs, outputs: the network's, in the flatbuffer's order.
    """

    def __init__(
        self, interpreter: Any, name: str, version: str, threads: int, delegate: str = delegates.XNNPACK
    ) -> None:
        """`delegate` is the only one that was loaded."""
        self.name, self.version, self.threads = name, version, threads
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self.inputs, self.outputs = tuple(map(_tensor, inputs)), tuple(map(_tensor, outputs))
        self._interpreter = interpreter
        self._in, self._out = [tensor["index"] for tensor in inputs], [tensor["index"] for tensor in outputs]
        self.taken, self.operators = delegates.taken(interpreter)
        self.delegate, self.kernel_path = delegates.described(delegate, self.taken, self.operators)

    def run(self, *tensors: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the raw outputs, of `outputs`' shapes and types, for `tensors` of `inputs`' shapes and types.

        Raises EdgeError where the runtime refuses it, and where an output has another shape than it was said to have.
        """
        try:
            for index, tensor in zip(self._in, tensors, strict=True):
                self._interpreter.set_tensor(index, tensor)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise EdgeError(
                f"{PACKAGES[self.name]} {self.version} can't run the network: {first_line(error)}", "runtime.refused"
            ) from None
        raws = tuple(self._interpreter.get_tensor(index) for index in self._out)
        for raw, said in zip(raws, self.outputs, strict=True):
            if raw.shape != said.shape:  # operators may decide on it while they run
                raise EdgeError(
                    f"the network's output is {raw.shape} after it ran, and {said.shape} before: expected one shape "
                    "for every image; convert the network again without such operators",
                    "model.output",
                )
        return raws


def open_runtime(flatbuffer: bytes, name: str = "auto", threads: int = 1) -> Runtime:
    """Return the network in `flatbuffer` (what follows it in a model file may follow), loaded by runtime `name`.

    "auto" is LiteRT where it is installed, else tflite-runtime. Raises EdgeError where the runtime is not installed or
    does not start, where it refuses the network, and for a delegate, which runs another network of the model file.
    """
    if name in delegates.RUNTIMES:
        raise EdgeError(
            f"{name} runs a network that was compiled for it: load the model file with edge.load", "arguments.invalid"
        )
    check_threads(threads)
    name, interpreter_class, version = import_runtime(name)
    try:
        with quiet():
            interpreter = interpreter_class(model_content=flatbuffer, num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise EdgeError(
            f"{PACKAGES[name]} {version} can't load the network ({first_line(error)}): "
            "upgrade the runtime, or convert the network again with operators that it has",
            "runtime.refused",
        ) from None
    except (SystemError, ImportError) as error:  # tflite-runtime meets numpy 2 only here
        raise broken(name, error) from None
    return Runtime(interpreter, name, version, threads)


def check_threads(threads: object) -> None:
    """Raise EdgeError where it is not a number of threads that a runtime takes."""
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MAX_THREADS:
        raise EdgeError(
            f"{threads!r} threads were asked for: expected a whole number from 1 to {MAX_THREADS}", "arguments.invalid"
        )


def import_runtime(name: str = "auto") -> tuple[str, Any, str]:
    """Return the runtime's own name, its Interpreter class and its version; EdgeError where it can't be had."""
    if name not in NAMES:
        raise EdgeError(f"there is no runtime {name!r}: expected one of {', '.join(NAMES)}", "arguments.invalid")
    candidates = _CANDIDATES.get(name, (name,))
    for candidate in candidates:
        module = _MODULES[candidate]
        try:
            with quiet():
                interpreter = __import__(f"{module}.interpreter", fromlist=["Interpreter"]).Interpreter
        except ModuleNotFoundError as error:
            if error.name != module:
                raise broken(candidate, error) from None
        except (ImportError, AttributeError, OSError) as error:
            raise broken(candidate, error) from None
        else:
            return candidate, interpreter, _version(candidate)
    what = "no TFLite runtime" if name in _CANDIDATES else f"the runtime {name}"
    verb = "is installed: install one" if name in _CANDIDATES else "is not installed: install it"
    raise EdgeError(f"{what} {verb} {_how_to_install(candidates[0])}", "runtime.missing")


def _how_to_install(name: str) -> str:
    if sys.maxsize > 2**32:
        return f"with `pip install {PACKAGES[name]}`"
    # Also where the kernel is a 64-bit one and `uname -m` says aarch64, as on 32-bit Raspberry Pi OS.
    return (
        f"that has 32-bit wheels, as this Python ({sys.version_info[0]}.{sys.version_info[1]}) is a 32-bit one: `pip "
        'install tflite-runtime "numpy<2"` with Python 3.10 or 3.11, or `edge-deploy push pi-armv7 HOST` from another '
        "machine"
    )


def broken(name: str, error: Exception) -> EdgeError:
    """Return what to say of a runtime that is installed and does not start; a Ctrl-C in disguise is raised as such."""
    if was_interrupted(error):
        raise KeyboardInterrupt from None
    package = PACKAGES[name]
    if name == "tflite" and int(np.__version__.split(".")[0]) >= 2:
        return EdgeError(
            f"{package} does not work with numpy {np.__version__}: expected numpy 1; install it with "
            f'`pip install "numpy<2"{_with_numpy_1()}`'
            + (", or use `pip install ai-edge-litert`" if sys.maxsize > 2**32 else ""),
            "runtime.broken",
        )
    other = "tflite" if name == "litert" else "litert"
    return EdgeError(
        f"{package} is installed but does not start ({first_line(error)}): install it again with "
        f"`pip install --force-reinstall {package}`, or choose --runtime {other}",
        "runtime.broken",
    )


def _with_numpy_1() -> str:
    """Return what else pip is to install with it: LiteRT brings a package whose later versions want numpy 2."""
    from importlib.util import find_spec

    return ' "ml-dtypes<0.6"' if find_spec("ml_dtypes") else ""


def _version(name: str) -> str:
    version = getattr(sys.modules[_MODULES[name]], "__version__", None)
    if version is None:
        from importlib.metadata import version as installed

        version = installed(PACKAGES[name])
    return str(version)


def _tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    shape = tuple(int(size) for size in details["shape"])
    return Tensor(shape, np.dtype(details["dtype"]).name, float(scale), int(zero_point))


def first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what C++ code writes to standard error; afterwards pass on all but lines of mere information.

    After an exception nothing is passed on: its message says it. Standard error is the whole process's: a second thread
    waits, or it would give back the first one's pipe for it.
    """
    with _QUIET:
        yield from _held_back()


def _held_back() -> Iterator[None]:
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
