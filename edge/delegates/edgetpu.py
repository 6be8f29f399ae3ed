"""The Coral Edge TPU: the network that was compiled for it, through the delegate that is named here and no other.

A delegate is foreign code in this process, and one that meets no device may end or hold up the process that loads it.
So a child process tries it first. Nothing but `--runtime edgetpu` imports this module.
"""

from __future__ import annotations

import os
import subprocess
import sys
from signal import strsignal

import numpy as np

from edge.digest import sha256
from edge.errors import EdgeError
from edge.flatbuffer import read
from edge.model import EDGETPU, ModelFile
from edge.runtime import PACKAGES, Runtime, broken, check_threads, first_line, import_runtime, quiet

LIBRARY = "libedgetpu.so.1"
PROBE_SECONDS = 60.0  # a device on USB takes seconds to get its firmware

_ANSWER = "edge-infer-probe:"
# Nothing is imported from the working folder, where images lie, maybe beside somebody's numpy.py.
_CHILD = (
    "import sys; sys.path[:] = filter(None, sys.path); "
    "from edge.delegates.edgetpu import _try; sys.exit(_try(*sys.argv[1:]))"
)
_CURE = "check that the Edge TPU is plugged in and its library fits the runtime, or choose another --runtime"


def network_of(file: ModelFile) -> bytes:
    """Return the compiled network of a model file; EdgeError where it holds none, or a damaged one."""
    compiled = file.manifest.edgetpu
    if compiled is None:
        raise EdgeError(
            f"{file.path} holds no network that is compiled for the Edge TPU: compile it on the host with "
            f"`edge-deploy coral {os.path.basename(file.path)} --compile`, or choose another --runtime",
            "model.not-compiled",
        )
    flatbuffer = file.member(EDGETPU)
    if (len(flatbuffer), sha256(flatbuffer).hexdigest()) != (compiled.bytes, compiled.sha256):
        raise EdgeError(
            f"{file.path} holds another {EDGETPU} than its manifest says (digests differ): compile it again on the "
            "host with `edge-deploy coral --compile`",
            "model.damaged",
        )
    read(flatbuffer, f"the {EDGETPU} of {file.path}")
    return flatbuffer


def _library() -> str:
    return os.environ.get("EDGE_INFER_EDGETPU") or LIBRARY


def load(flatbuffer: bytes, name: str, threads: int) -> Runtime:
    """Return a network, loaded by runtime `name` ("tflite" or "litert") with Coral's delegate in this process.

    Raises EdgeError where the delegate can't be loaded, fails, or takes nothing.
    """
    check_threads(threads)
    library = _library()
    _, interpreter_class, version = import_runtime(name)
    module = sys.modules[interpreter_class.__module__]
    with quiet():
        try:
            delegate = module.load_delegate(library)
        except (OSError, ValueError, AttributeError) as error:
            raise EdgeError(
                f"the Edge TPU's library {library} can't be loaded ({first_line(error)}): install a libedgetpu made "
                "for TensorFlow 2.13 or later, name it in EDGE_INFER_EDGETPU, or choose another --runtime",
                "runtime.missing",
            ) from None
        try:
            # Without the default delegates, so that what was delegated is the Edge TPU's.
            interpreter = interpreter_class(
                model_content=flatbuffer,
                num_threads=threads,
                experimental_delegates=[delegate],
                experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EdgeError(
                f"{PACKAGES[name]} {version} can't load the compiled network with the Edge TPU's library {library} "
                f"({first_line(error)}): {_CURE}",
                "runtime.refused",
            ) from None
        except (SystemError, ImportError) as error:  # tflite-runtime meets numpy 2 only here
            raise broken(name, error) from None
    runtime = Runtime(interpreter, name, version, threads, "edgetpu")
    if not runtime.taken:
        raise EdgeError(
            f"the Edge TPU's library {library} took none of the network's {runtime.operators} operators: compile the "
            "model again with `edge-deploy coral --compile`, or choose another --runtime",
            "runtime.refused",
        )
    return runtime


def probe(flatbuffer: bytes, name: str) -> None:
    """Load a network with the delegate and run it, in a child process.

    Raises EdgeError where the delegate can't be loaded, crashes, hangs, fails, or takes nothing.
    """
    library = _library()
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    known = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(known)}
    command = [sys.executable, "-c", _CHILD, name]
    try:
        done = subprocess.run(command, input=flatbuffer, capture_output=True, env=environment, timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        raise EdgeError(
            f"the Edge TPU's library {library} gave no answer within {PROBE_SECONDS:g} seconds in a child process that "
            f"tried it: {_CURE}",
            "runtime.broken",
        ) from None
    if done.returncode < 0:
        raise EdgeError(
            f"the Edge TPU's library {library} crashed in a child process that tried it "
            f"({strsignal(-done.returncode)}): {_CURE}",
            "runtime.crashed",
        )
    answers = [line for line in done.stdout.decode(errors="replace").splitlines() if line.startswith(_ANSWER)]
    if done.returncode or not answers:
        raise EdgeError(
            answers[-1][len(_ANSWER) :]
            if answers
            else f"the Edge TPU's library {library} ended a child process that tried it with exit status "
            f"{done.returncode}: {_CURE}",
            "runtime.broken",
        )


def _try(name: str) -> int:
    """What the child process does: one run of the network on standard input, of an empty image."""
    try:
        runtime = load(sys.stdin.buffer.read(), name, 1)
        try:
            runtime.run(*(np.zeros(tensor.shape, tensor.dtype) for tensor in runtime.inputs))
        except EdgeError as error:
            raise EdgeError(
                f"the Edge TPU's library {_library()} loads, but {error}: {_CURE}", "runtime.refused"
            ) from None
    except EdgeError as error:
        print(f"\n{_ANSWER}{error}", flush=True)
        return 2
    print(f"\n{_ANSWER}", flush=True)  # on a line of its own, whatever the library says
    return 0
