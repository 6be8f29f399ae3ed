"""What a network's outputs are made into: one file a task, found by the name that the manifest gives.

A task of your own is one class with the members of `Task`. Register it in Python, `edge.tasks.register(Multilabel)`, or
let an installed package name it as an entry point of the group "edge_infer.tasks" (`multilabel =
"package.module:Multilabel"`): then `edge-infer` finds it as well. A model file only ever names a task; nothing that it
names is imported.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from edge.errors import EdgeError, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import numpy as np

    from edge.answer import Answer
    from edge.fields import Fields
    from edge.preprocess import Preprocessing

GROUP = "edge_infer.tasks"

_BUILT_IN = {"classification": "Classification", "segmentation": "Segmentation"}
_NAME = re.compile(r"[a-z0-9_-]+")
_ENDING = re.compile(r"\.[a-z0-9-]+\.[a-z0-9]+")
_registered: dict[str, type[Task]] = {}


class Task(Protocol):
    """A task: an object of it has the settings that one manifest gives it.

    Attributes:
        name: as in the manifest: lower-case letters, digits, - and _.
        endings: of the files that `draw` makes, each of the form ".word.suffix"; none where it draws nothing.
    """

    name: ClassVar[str]
    endings: ClassVar[tuple[str, ...]]

    @classmethod
    def parse(cls, inputs: Sequence[Preprocessing], outputs: Sequence[Fields]) -> Task:
        """Return the task for a manifest's `inputs` and `outputs`, one entry for each of the network's.

        Raises EdgeError where an entry is not what the task needs: the methods of `Fields` and `Fields.wrong` say so.
        """

    @classmethod
    def example(cls, shapes: Sequence[tuple[int, ...]]) -> list[dict[str, Any]] | None:
        """Return the manifest's `outputs` for a network with outputs of these `shapes`, as `edge-compress pack` begins.

        Fields whose names begin with "_" are comments. None where no such network is of this task.
        """

    def check(self, inputs: Sequence[Preprocessing], shapes: Sequence[tuple[int, ...]]) -> str:
        """Return "" where a network with outputs of these `shapes` fits the manifest, else what was expected."""

    def answer(self, outputs: Sequence[np.ndarray], size: tuple[int, int], inputs: Sequence[Preprocessing]) -> Answer:
        """Return the answer about an image of `size` (width, height).

        Args:
            outputs: float32, all finite, without the batch: (classes,), (h, w, 1) ...
        """

    def record(self, answer: Any) -> dict[str, Any]:
        """Return the fields that JSON has of an `answer` (docs/answers.md)."""

    def lines(self, answer: Any) -> list[str]:
        """Return the lines for people above the decision's line."""

    def reason(self, answer: Any) -> str:
        """Return why it was decided so, in a few words."""

    def draw(self, answer: Any, image: bytes) -> dict[str, bytes]:
        """Return ending -> content of the files of --output, for the bytes of the file that was answered."""

    def agree(self, outputs: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> str:
        """Return "" where two networks' outputs for one image give the same answer, else what differs, in words."""


_MEMBERS = ("parse", "example", "check", "answer", "record", "lines", "reason", "draw", "agree")


def register(task: type[Task]) -> None:
    """Let manifests name `task`.

    Raises TypeError where it lacks a member of `Task`, ValueError where its name or an ending is not of the form
    required there, or the name is another task's.
    """
    lacks = [member for member in ("name", "endings", *_MEMBERS) if not hasattr(task, member)]
    if lacks:
        raise TypeError(f"{task!r} is no task: it lacks {', '.join(lacks)} (edge.tasks.Task)")
    if not isinstance(task.name, str) or not _NAME.fullmatch(task.name):
        raise ValueError(f"the task's name is {task.name!r}: expected lower-case letters, digits, - and _")
    for ending in task.endings:
        if not _ENDING.fullmatch(ending):
            raise ValueError(f'the task {task.name} has the ending {ending!r}: expected one like ".mask.png"')
    if task.name in _BUILT_IN or _registered.get(task.name, task) is not task:
        raise ValueError(f"there is a task {task.name} already: give this one another name")
    _registered[task.name] = task


def find(name: str) -> type[Task] | None:
    """Return the task of this name; None where there is none.

    Raises EdgeError where an installed package names it and can't be imported, or what it names is no such task.
    """
    if name in _BUILT_IN:
        module = __import__(f"{__name__}.{name}", fromlist=["*"])
        return getattr(module, _BUILT_IN[name])
    if name not in _registered and _NAME.fullmatch(name):
        _install(name)
    return _registered.get(name)


def _install(name: str) -> None:
    """Register the task that an installed package names so."""
    from importlib.metadata import entry_points  # far too costly for a start without need

    for entry in entry_points(group=GROUP, name=name):
        try:
            task = entry.load()
            register(task)
            if task.name != name:
                raise ValueError(f"the task calls itself {task.name}")
        except Exception as error:
            raise EdgeError(
                f"the task {name} can't be loaded from {one_line(entry.value)}, where an installed package says it is "
                f"({one_line(str(error))}): expected a class with the members of edge.tasks.Task; correct that package",
                "model.manifest",
            ) from None


def names() -> list[str]:
    """Return the names of all tasks that this installation knows."""
    from importlib.metadata import entry_points

    return sorted({*_BUILT_IN, *_registered, *(entry.name for entry in entry_points(group=GROUP))})


def is_ending(text: str) -> bool:
    """Return whether files of --output may end so, in addition to the record's ".json"."""
    return _ENDING.fullmatch(text) is not None
