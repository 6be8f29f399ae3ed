"""The tasks by their names: ours, and those that a recipe names as "package.module:Class"."""

from __future__ import annotations

import difflib
import importlib
import re
from pathlib import Path

from compress.recipe_file import within_reach
from compress.tasks.base import Task
from edge.errors import EdgeError

# Modules are imported when they are needed: they read whole data formats.
BUILT_IN = {
    "classification": "compress.tasks.classification:Classification",
    "segmentation": "compress.tasks.segmentation:Segmentation",
}
_OWN = re.compile(r"\w+(\.\w+)*:\w+")


def task_named(name: str, where: str) -> Task:
    """Return the task that the recipe `where` names: one of ours, or a class "package.module:Class".

    A class is found from the recipe's folder, then from the working directory, and made without arguments. What it
    calls itself is what the manifest says, so that `edge` needs a task of that name.

    Raises EdgeError where there is no such task.
    """
    if name not in BUILT_IN and not _OWN.fullmatch(name):
        near = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise EdgeError(
            f"{where}: task is {name!r}: expected {' or '.join(map(repr, BUILT_IN))}, or 'package.module:Class'{hint}"
        )
    module_name, class_name = BUILT_IN.get(name, name).split(":")
    if name not in BUILT_IN:
        within_reach(where)
    try:
        task = getattr(importlib.import_module(module_name), class_name)()
    except (Exception, SystemExit) as error:  # the user's own code: anything
        reason = str(error).split("\n")[0] or type(error).__name__
        raise EdgeError(
            f"{where}: task {name!r} can't be made ({reason}): expected a class in a module that Python finds from the "
            f"recipe's folder or the working directory ({Path.cwd()}); check the name"
        ) from None
    if not isinstance(task, Task):
        raise EdgeError(
            f"{where}: task {name!r} is a {type(task).__name__}: expected a subclass of compress.tasks.base.Task"
        )
    return task
