"""What takes part of a network's graph off the runtime's own kernels: delegates.

XNNPACK is part of the runtimes and takes what it can by default. Any other is a file of this package with

    probe(network, runtime)          whether it works here, tried in a child process; raises EdgeError where not
    load(network, runtime, threads)  a `Runtime` in which it is the only delegate

and with `network_of(file)`, the network that was made for it, and a row in `RUNTIMES`, which makes it a --runtime.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

XNNPACK, BUILTIN, NONE = "xnnpack", "builtin", "none"
# --runtime -> the runtimes that load such a delegate, the preferred one first: Coral's is built for tflite-runtime.
RUNTIMES = {"edgetpu": ("tflite", "litert")}

_NODE = "DELEGATE"  # what a runtime calls the nodes that a delegate computes


def open_delegated(delegate: str, file: Any, runtime: str, threads: int) -> Any:
    """Return the `edge.runtime.Runtime` of a model file's network for a delegate of `RUNTIMES`.

    Args:
        file: the `edge.model.ModelFile`.
        runtime: the TFLite runtime that loads the delegate, "litert" or "tflite".
        threads: for the operators that the delegate leaves to the runtime's own kernels.

    Raises EdgeError where the file holds no network for it, and where the delegate can't be loaded, crashes, hangs,
    fails, or takes nothing.
    """
    module = import_module(f"edge.delegates.{delegate}")
    network = module.network_of(file)
    module.probe(network, runtime)
    return module.load(network, runtime, threads)


def taken(interpreter: Any) -> tuple[int, int]:
    """Return how many operators of the graph a delegate took, and of how many, read from the nodes after allocation.

    A delegate adds nodes called DELEGATE behind those of the graph. Such a node takes the place of all that leads from
    what it reads to what it gives.
    """
    nodes = interpreter._get_ops_details()
    makers = {
        int(index): number for number, node in enumerate(nodes) for index in node["outputs"] if node["op_name"] != _NODE
    }
    found: set[int] = set()
    delegates = [node for node in nodes if node["op_name"] == _NODE]
    for node in delegates:
        reads = {int(index) for index in node["inputs"]}
        waiting = [int(index) for index in node["outputs"]]
        while waiting:
            index = waiting.pop()
            if index not in reads and index in makers and makers[index] not in found:
                found.add(makers[index])
                waiting += [int(source) for source in nodes[makers[index]]["inputs"]]
    return len(found), len(nodes) - len(delegates)


def described(delegate: str, took: int, operators: int) -> tuple[str, str]:
    """Return how a runtime names its delegate and whose kernels compute: `Runtime.delegate`, `Runtime.kernel_path`."""
    if not took:
        return NONE, BUILTIN
    return delegate if took == operators else f"{delegate} in part", delegate
