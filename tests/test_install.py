"""The package alone, installed as on a device: light, and whole on every Python it names."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIMIT_MB = 200
OLDEST_PILLOW = "10.1"  # that setup.cfg takes
RUNTIMES = [("3.10", "ai-edge-litert"), ("3.11", "ai-edge-litert"), ("3.11", "tflite-runtime")]
RUNTIMES += [("3.12", "ai-edge-litert"), ("3.13", "ai-edge-litert")]


def interpreter(version: str) -> str | None:
    """Return a Python of that version: this one, one on PATH, or pyenv's."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    found = shutil.which(f"python{version}")
    roots = [os.environ.get("PYENV_ROOT", ""), str(Path.home() / ".pyenv")]
    candidates = [found] + [
        path for root in roots for path in sorted(glob.glob(f"{root}/versions/{version}.*/bin/python"))
    ]
    for path in filter(None, candidates):
        if subprocess.run([path, "-c", "import ensurepip"], capture_output=True).returncode == 0:
            return path
    return None


def test_the_oldest_pillow_is_the_one_that_is_tried() -> None:
    assert f"pillow>={OLDEST_PILLOW}\n" in (ROOT / "setup.cfg").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("version", "runtime"), RUNTIMES)
def test_the_package_alone(version: str, runtime: str, tmp_path: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} with ensurepip on this machine")
    source = tmp_path / "source"  # a build writes into its source: give it a copy
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".venv", "build", ".git", "*.egg-info", "__pycache__"))
    home = tmp_path / "venv"
    subprocess.run([python, "-m", "venv", home], check=True)
    pip = [home / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    if runtime == "tflite-runtime":
        subprocess.run([*pip, "tflite-runtime==2.14.0", "numpy<2", f"pillow=={OLDEST_PILLOW}.0"], check=True)
        subprocess.run([*pip, "--no-deps", source], check=True)
    else:
        subprocess.run([*pip, source], check=True)
        packages = next((home / "lib").glob("python*/site-packages"))
        ours = [path for path in packages.rglob("*") if path.is_file() and not path.is_symlink()]
        pip_itself = packages / "pip"
        size = sum(path.stat().st_size for path in ours if pip_itself not in path.parents)
        assert size < LIMIT_MB * 1e6
    done = subprocess.run(
        [home / "bin/edge-infer", "--json", source / "docs/phantom.png"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    subprocess.run([home / "bin/edge-infer", "--check"], cwd=tmp_path, check=True)
    told = subprocess.run(
        [home / "bin/edge-compress", "run", "phantom", "--data", ".", "--output", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 2 and "pip install" in told.stderr and "Traceback" not in told.stderr
    subprocess.run([*pip, "pytest", "pytest-xdist", "hypothesis"], check=True)
    tests = subprocess.run(
        [home / "bin/python", "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "tests/edge"],
        cwd=source,
        capture_output=True,
        text=True,
    )
    assert tests.returncode == 0, tests.stdout[-4000:]
