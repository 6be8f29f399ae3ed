"""Which tasks there are."""

from __future__ import annotations

from compress.tasks.base import Task
from compress.tasks.classification import Classification
from compress.tasks.segmentation import Segmentation
from edge.errors import EdgeError

TASKS: dict[str, Task] = {task.name: task for task in (Classification(), Segmentation())}


def task_named(name: str, where: str) -> Task:
    """Return the task that the recipe `where` names; EdgeError where there is none."""
    if name not in TASKS:
        raise EdgeError(f"{where}: task is {name!r}: expected {' or '.join(map(repr, TASKS))}; correct it")
    return TASKS[name]
