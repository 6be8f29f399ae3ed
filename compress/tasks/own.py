"""A task with a loss or a metric of one's own."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from torch import Tensor, nn

from compress.data.split import DataSet, Objective
from edge.errors import EdgeError

T = TypeVar("T", bound=Objective)
Loss = Callable[[Tensor, Tensor], Tensor]
Metric = Callable[[np.ndarray, np.ndarray], float]


def customized(task: T, loss: Loss | None, metric: Metric | None) -> T:
    """Return `task` with `loss` in the place of its losses, and `metric` in the place of its metric.

    Args:
        loss: loss(outputs, targets) -> (N,), each image's own; a class's weight multiplies it afterwards.
        metric: metric(outputs, targets) -> a number, higher is better, for float32 logits of all images.
    """
    own = copy.copy(task)
    if loss is not None or metric is not None:
        vars(own).update(identity=f"loss {identity(loss)}; metric {identity(metric)}")
    if loss is not None:
        vars(own).update(losses=_losses(loss))
    if metric is not None:
        vars(own).update(metric=lambda data: getattr(metric, "__name__", "metric"), evaluate=_evaluate(metric))
    return own


def identity(what: Callable[..., Any] | None) -> str:
    """Return what tells functions apart: name and code, of a module its settings. A change of what they call does not.

    "" for None.
    """
    if what is None:
        return ""
    code = getattr(what, "__code__", None)
    kind = what if code else type(what)
    inside = repr((code.co_code.hex(), code.co_names, code.co_consts)) if code and not _nested(code) else ""
    inside = repr(what) if isinstance(what, nn.Module) else inside
    name = f"{kind.__module__}:{getattr(kind, '__qualname__', '')}"
    return f"{name} {hashlib.sha256(inside.encode()).hexdigest()[:16]}"


def _nested(code: Any) -> bool:
    return any(hasattr(constant, "co_code") for constant in code.co_consts)  # its text has an address


def _losses(loss: Loss) -> Callable[..., Tensor]:
    def losses(outputs: Tensor, truth: Tensor, smoothing: float = 0.0, weight: Tensor | None = None) -> Tensor:
        if smoothing:
            raise EdgeError(f"smoothing is {smoothing:g} with a loss of your own: expected 0; smooth the labels there")
        found = loss(outputs, truth)
        if not isinstance(found, Tensor) or found.shape != (len(outputs),):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise EdgeError(
                f"the loss of {len(outputs)} images is {shape}: expected a tensor {(len(outputs),)}, each image's own "
                "loss; use reduction='none' and average over everything but the images"
            )
        return found if weight is None else found * weight[truth]

    return losses


def _evaluate(metric: Metric) -> Callable[..., float]:
    def evaluate(outputs: np.ndarray, data: DataSet, decision: object = None) -> float:
        return measured(metric, outputs, data.val.truth)

    return evaluate


def measured(metric: Metric, outputs: np.ndarray, truth: np.ndarray) -> float:
    """Return `metric(outputs, truth)`; EdgeError where it is no finite number."""
    value = float(metric(outputs, truth))
    if not np.isfinite(value):
        raise EdgeError(f"the metric is {value}: expected a finite number, higher is better; look at its inputs")
    return value
