"""Tasks by their names: ours, and a recipe's own from a file outside of the repository, run to a model file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compress.tasks.base import Task
from compress.tasks.registry import task_named
from edge.errors import EdgeError
from tests.compress.conftest import HEAD, command, environment
from tests.edge.tasks.test_own_task import installed

SOURCE = Path(__file__).with_name("multilabel.py")
RECIPE = (
    'task = "multilabel:Multilabel"\n'
    + HEAD.replace('positive = "opacity"\n', "")
    + """
[[steps]]
kind = "train"
epochs = 4
batch = 8

[[steps]]
kind = "prune"
criterion = "l2-norm"
ratios = { "features.[02]*" = 0.5 }

[[steps]]
kind = "train"
epochs = 2
batch = 8
[steps.distill]
share = 0.5
[steps.augment]
flip = true
"""
)


@pytest.mark.parametrize("name", ["classification", "segmentation"])
def test_ours_have_their_names(name: str) -> None:
    task = task_named(name, "r.toml")
    assert isinstance(task, Task) and task.name == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("clasification", "did you mean 'classification'?"),
        ("detection", "expected 'classification' or 'segmentation', or 'package.module:Class'"),
        ("no_such_module:Task", "can't be made (No module named 'no_such_module')"),
        ("own_tasks:Nothing", "can't be made (module 'own_tasks' has no attribute 'Nothing')"),
        ("own_tasks:Broken", "can't be made (Can't instantiate abstract class Broken"),
        ("own_tasks:Raises", "can't be made (it needs a licence)"),
        ("own_tasks:Stranger", "is a Stranger: expected a subclass of compress.tasks.base.Task"),
    ],
)
def test_what_is_no_task_is_refused_in_one_sentence(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "own_tasks.py").write_text(
        "from compress.tasks.base import Task\n"
        "class Broken(Task):\n    pass\n"
        "class Stranger:\n    pass\n"
        "class Raises(Stranger):\n    def __init__(self):\n        raise ValueError('it needs a licence')\n"
    )
    code = (
        "import sys; from compress.tasks.registry import task_named\n"
        "from edge.errors import EdgeError\n"
        "try:\n    task_named(*sys.argv[1:])\nexcept EdgeError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, name, str(tmp_path / "r.toml")],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"{tmp_path / 'r.toml'}: task ") and done.stdout.count("\n") == 1
    assert words in done.stdout


def test_an_unknown_one_is_an_edge_error() -> None:
    with pytest.raises(EdgeError, match="task is 'x'"):
        task_named("x", "r.toml")


@pytest.mark.train
@pytest.mark.timeout(900)
def test_a_task_of_ones_own_runs_from_recipe_to_answer(own: Path, phantoms: Path) -> None:
    """Nothing of the project knows the task: one file beside the recipe, and one that the device has installed."""
    (own / "multilabel.py").write_text(SOURCE.read_text())
    (own / "recipe.toml").write_text(RECIPE)
    packages = installed(own / "packages")
    known = environment()
    known["PYTHONPATH"] = os.pathsep.join([str(packages), known["PYTHONPATH"]])

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, words)), cwd=own, env=known, capture_output=True, text=True, check=False, timeout=900
        )

    done = run(*command("run", "recipe.toml", "--data", phantoms, "--output", "out"))
    assert done.returncode == 0, done.stderr
    assert "accuracy_opacity" in done.stdout and "threshold of clear: " in done.stdout
    assert "validation mean accuracy" in done.stderr

    image = next((phantoms / "test/opacity").iterdir())
    infer = (sys.executable, "-m", "edge", "--model", "out/own.tflite")
    answered = run(*infer, "--json", image)
    assert answered.returncode == 0, answered.stderr
    record = json.loads(answered.stdout)
    assert (record["task"], [row["label"] for row in record["results"]]) == ("multilabel", ["clear", "opacity"])
    report = json.loads((own / "out/own.report.json").read_text())
    assert [row["threshold"] for row in record["results"]] == report["thresholds"] != [0.5, 0.5]
    assert record["targets"] == [] and record["found"] == [
        row["label"] for row in record["results"] if row["score"] >= row["threshold"]
    ]
    checked = run(*infer, "--check")
    assert checked.returncode == 0 and checked.stdout.count("bit-exact") == 4, checked.stdout + checked.stderr

    shown = run(*command("show", "out/own.tflite"))
    assert "task       multilabel" in shown.stdout and "thresholds [" in shown.stdout
    card = (own / "out/own.md").read_text()
    assert "- answers: clear, opacity" in card and "accuracy_opacity" in card
    known["PYTHONPATH"] = environment()["PYTHONPATH"]  # a device without that package
    assert "task = 'multilabel'" in run(*infer, "--check").stderr
