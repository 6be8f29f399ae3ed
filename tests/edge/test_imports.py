"""What the device needs: nothing but numpy, Pillow, a TFLite runtime and the standard library."""

from __future__ import annotations

import ast
import subprocess
import sys

from tests.edge.processes import ROOT, environment

ALLOWED = {"numpy", "PIL", "edge", "ai_edge_litert", "tflite_runtime", "flatbuffers"}
# What the interpreter's own environment puts in (coverage, editable installs) is none of the program's doing.
SCRIPT = """
import sys
before = set(sys.modules)
from edge.cli import main
status = main(sys.argv[1:])
print(*sorted(set(sys.modules) - before), file=sys.stderr)
sys.exit(status)
"""


def imported(*words: object) -> set[str]:
    command = [sys.executable, "-c", SCRIPT, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def test_a_run_imports_nothing_that_a_device_lacks(model, picture):
    tops = {name.split(".")[0] for name in imported("--model", model, picture)}
    strangers = {name for name in tops if name not in ALLOWED and name not in sys.stdlib_module_names}
    # Compiled extensions of the allowed ones register helpers under names of their own.
    assert not {name for name in strangers if not name.startswith(("_", "pybind11", "cython_runtime"))}


def test_a_run_imports_only_what_it_uses(model, picture):
    modules = imported("--model", model, picture)
    for name in (
        "PIL.ImageOps",
        "PIL.TiffImagePlugin",
        "edge.check",
        "importlib.metadata",
        "zipfile",
        "multiprocessing",
        "edge.tasks.segmentation",
        "edge.overlay",
        "edge.delegates.edgetpu",
    ):
        assert name not in modules, name


def test_a_segmentation_imports_what_draws_only_where_it_draws(mask_model, picture, tmp_path):
    told, drawn = (imported("--model", mask_model, picture, *words) for words in ([], ["--output", tmp_path / "out"]))
    assert "edge.tasks.segmentation" in told
    assert {"edge.overlay", "PIL.ImageDraw"} <= drawn and not {"edge.overlay", "PIL.ImageDraw", "PIL.ImageFont"} & told


def test_no_file_of_edge_imports_the_host_packages():
    for path in sorted((ROOT / "edge").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            tops = {name.split(".")[0] for name in names}
            assert tops <= set(sys.stdlib_module_names) | {"numpy", "PIL", "edge", "__future__"}, path
