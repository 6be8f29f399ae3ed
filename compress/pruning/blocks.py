"""Residual blocks: where a network adds what a branch F computes to a shortcut S, and what is left of a closed block.

A block is a module whose forward is after(F(x) + S(x)), as in He et al., "Deep Residual Learning for Image Recognition"
(CVPR 2016), or with the other orders of "Identity Mappings in Deep Residual Networks" (ECCV 2016).
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from compress.inputs import Inputs, as_inputs, run
from compress.state.structure import replace
from edge.errors import EdgeError

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
RELUS = (nn.ReLU, torch.relu, torch.relu_, F.relu, "relu", "relu_")
RECTIFIERS = (*RELUS, nn.ReLU6, F.relu6)
ACTIVATIONS = (*RECTIFIERS, nn.LeakyReLU, nn.PReLU, nn.SiLU, nn.GELU, F.leaky_relu, F.silu, F.gelu)
SOUGHT = (
    "modules that return F(x) + shortcut(x), or an activation of it, where F has convolutions and ends in a layer, and "
    "the shortcut is x or has one convolution at most"
)


@dataclass(frozen=True)
class Residual:
    """A residual block of a network.

    Attributes:
        name: the module's.
        last: name of the layer in which F ends: what it returns is added to the shortcut.
        tensors: names of the tensors (of the network's state_dict) that nothing but F needs.
        shortcut: after(S(x)), which is left when the block is closed; its layers are the block's own.
    """

    name: str
    last: str
    tensors: tuple[str, ...]
    shortcut: nn.Module


def residual_blocks(network: nn.Module, inputs: Tensor | Inputs) -> list[Residual]:
    """Return the network's residual blocks in its order; of blocks in blocks the inner ones.

    Args:
        inputs: example inputs of the network, one tensor or several.

    Raises EdgeError where there is none, saying what was looked for.
    """
    drawn: dict[str, _Drawing] = {}
    for name, module in reversed(list(network.named_modules())):  # what lies within a module comes before it
        if name and not any(inner.startswith(f"{name}.") for inner in drawn) and (drawing := _draw(module)):
            drawn[name] = drawing
    if not drawn:
        raise EdgeError(
            f"the network {type(network).__name__} has no residual blocks: looked for {SOUGHT}; write its blocks "
            "so, or take the step out"
        )
    rectified = _rectified(network, drawn, as_inputs(inputs))
    return [_residual(name, drawn[name], name in rectified) for name in reversed(drawn)]


def close(network: nn.Module, blocks: Iterable[Residual]) -> nn.Module:
    """Leave of `blocks` their shortcuts and return the network: nothing if that is x itself, or the projection."""
    for block in blocks:
        replace(network, block.name, block.shortcut)
    return network


def closed_in(blocks: Iterable[Residual], tensors: Mapping[str, Tensor]) -> list[Residual]:
    """Return those of `blocks` that were closed when `tensors`, a state_dict, was saved."""
    return [block for block in blocks if not any(name in tensors for name in block.tensors)]


@dataclass(frozen=True)
class _Drawing:
    """A block's forward as a graph whose nodes are its children: the addition, its operands, the end."""

    module: nn.Module
    graph: fx.Graph
    total: fx.Node
    branch: fx.Node
    shortcut: fx.Node
    only: frozenset[fx.Node]  # what nothing but F needs

    @property
    def rectifies(self) -> bool:
        end = self.graph.output_node().args[0]
        return isinstance(end, fx.Node) and end is not self.total and _is(self.module, end, RECTIFIERS)


class _Shallow(fx.Tracer):
    """Follows a module's own forward and none of its children's, which may do what can't be followed."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def _draw(module: nn.Module) -> _Drawing | None:
    """Return the drawing of a residual block, None for another module."""
    if not any(isinstance(m, CONVOLUTIONS) for child in module.children() for m in child.modules()):
        return None
    try:
        graph = _Shallow().trace(module)
    except Exception:  # a forward that asks for values or takes other arguments
        return None
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    total = graph.output_node().args[0]
    while isinstance(total, fx.Node) and _is(module, total, (*ACTIVATIONS, nn.Identity)):
        total = total.args[0]
    if len(inputs) != 1 or not isinstance(total, fx.Node) or not _is(module, total, ADDITIONS):
        return None
    terms = [node for node in total.args if isinstance(node, fx.Node)]
    if len(terms) != 2 or total.kwargs:
        return None
    needs = [_ancestors(term) for term in terms]
    sizes = [_size(module, mine - other) for mine, other in zip(needs, reversed(needs), strict=True)]
    branch = int(sizes[1] > sizes[0])
    rest = _size(module, needs[1 - branch])
    ends = terms[branch].op == "call_module" and [n.target for n in graph.nodes].count(terms[branch].target) == 1
    if sizes[0] == sizes[1] or sizes[branch][0] == 0 or rest[0] > 1 or not ends or inputs[0] not in needs[1 - branch]:
        return None
    only = frozenset(needs[branch] - needs[1 - branch])
    return _Drawing(module, graph, total, terms[branch], terms[1 - branch], only)


def _is(module: nn.Module, node: fx.Node, kinds: tuple[object, ...]) -> bool:
    """Return whether a node calls one of `kinds`: classes of modules, functions, names of methods."""
    if node.op == "call_module":
        return isinstance(module.get_submodule(str(node.target)), tuple(k for k in kinds if isinstance(k, type)))
    return node.op in ("call_function", "call_method") and node.target in kinds


def _ancestors(node: fx.Node) -> set[fx.Node]:
    seen, front = {node}, [node]
    while front:
        for source in front.pop().all_input_nodes:
            if source not in seen:
                seen.add(source)
                front.append(source)
    return seen


def _modules(module: nn.Module, nodes: Iterable[fx.Node]) -> dict[str, nn.Module]:
    """Return what `nodes` call, by name."""
    return {str(n.target): module.get_submodule(str(n.target)) for n in nodes if n.op == "call_module"}


def _size(module: nn.Module, nodes: Iterable[fx.Node]) -> tuple[int, int]:
    """Return how many convolutions the nodes call, and how many weights these have."""
    layers = [m for called in _modules(module, nodes).values() for m in called.modules() if isinstance(m, CONVOLUTIONS)]
    return len(layers), sum(layer.weight.numel() for layer in layers)


def _rectified(network: nn.Module, drawn: Mapping[str, _Drawing], inputs: Inputs) -> set[str]:
    """Return the names of the blocks that are given what a rectifier made: a ReLU behind it does nothing."""
    made: dict[int, int] = {}  # by rectifiers; with the version, as what is added in place makes it another one
    kept: list[Tensor] = []  # alive: an id is unique only as long as its object lives
    found: set[str] = set()
    hooks = []

    def out(module: nn.Module, _: object, y: Tensor) -> None:
        made[id(y)] = y._version
        kept.append(y)

    for name, module in network.named_modules():
        if name in drawn:

            def into(module: nn.Module, inputs: tuple[Tensor], name: str = name) -> None:
                if made.get(id(inputs[0])) == inputs[0]._version:
                    found.add(name)

            hooks.append(module.register_forward_pre_hook(into))
        if isinstance(module, (nn.ReLU, nn.ReLU6)) or (name in drawn and drawn[name].rectifies):
            hooks.append(module.register_forward_hook(out))
    training = network.training
    try:
        with torch.no_grad():
            run(network.eval(), inputs)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return found


def _residual(name: str, block: _Drawing, rectified: bool) -> Residual:
    own = _modules(block.module, block.only)
    still = {id(m) for m in _modules(block.module, set(block.graph.nodes) - block.only).values()}
    gone = {child: m for child, m in own.items() if id(m) not in still}
    tensors = tuple(f"{name}.{child}.{tensor}" for child, m in gone.items() for tensor in m.state_dict())
    return Residual(name, f"{name}.{block.branch.target}", tensors, _shortcut(block, rectified))


def _shortcut(block: _Drawing, rectified: bool) -> nn.Module:
    """Return after(S(x)) as a module; its parameters have the names that they have in the block."""
    needed = _ancestors(block.shortcut)
    steps = [node for node in block.graph.nodes if node in needed or block.total in _ancestors(node)]
    idle = (nn.Identity, *(RELUS if rectified else ()))
    work = [node for node in steps if node.op not in ("placeholder", "output") and node is not block.total]
    if all(_is(block.module, node, idle) for node in work):
        return nn.Identity()
    graph, places = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in steps:
        places[node] = places[block.shortcut] if node is block.total else graph.node_copy(node, places.__getitem__)
    return fx.GraphModule(block.module, graph, "Shortcut")
