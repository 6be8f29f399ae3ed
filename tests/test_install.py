"""The package alone, installed as on a device: light, and whole on every Python it names."""

from __future__ import annotations

import configparser
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LIMIT_MB = 200
OLDEST_PILLOW = "10.1"  # that setup.cfg takes
WHOLE = ["tests/edge"]
SMOKE = [
    "-m",
    "device",
    "tests/edge",
]  # some tests of each module: the whole runs on 3.11 and LiteRT in any case, as do these
LONG = (pytest.mark.interpreters, pytest.mark.network)
PLACES = [
    pytest.param("3.11", "ai-edge-litert", SMOKE, id="3.11"),
    pytest.param("3.11", "tflite-runtime", WHOLE, marks=LONG, id="3.11-tflite-runtime"),
    *(pytest.param(version, "ai-edge-litert", WHOLE, marks=LONG, id=version) for version in ("3.10", "3.12", "3.13")),
]


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


def quoted(pattern: str) -> list[str]:
    """Return what docs/install.md has pip install, by the one command that matches."""
    (words,) = re.findall(rf"pip install ({pattern}?)(?: &&|`)", (ROOT / "docs/install.md").read_text())
    return shlex.split(words)


@pytest.mark.parametrize("machine", ["armv6l", "armv7l", "armv8l", "aarch64", "x86_64"])
def test_what_32_bit_arm_gets(machine: str) -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    wanted = map(Requirement, settings["options"]["install_requires"].split("\n")[1:])
    found = {
        item.name: str(item.specifier)
        for item in wanted
        if not item.marker or item.marker.evaluate({"platform_machine": machine})
    }
    runtime = "tflite-runtime" if machine.startswith("armv") else "ai-edge-litert"
    assert set(found) == {"numpy", "pillow", runtime}
    assert (found["numpy"] == "<2") == machine.startswith("armv")


def test_the_oldest_pillow_is_the_one_that_is_tried() -> None:
    assert f"pillow>={OLDEST_PILLOW}\n" in (ROOT / "setup.cfg").read_text()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("version", "runtime", "chosen"), PLACES)
def test_the_package_alone(version: str, runtime: str, chosen: list[str], tmp_path: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} with ensurepip on this machine")
    source = tmp_path / "source"  # a build writes into its source: give it a copy
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".venv", "build", ".git", "*.egg-info", "__pycache__"))
    home = tmp_path / "venv"
    subprocess.run([python, "-m", "venv", home], check=True)

    def install(*words: object) -> None:
        command = [home / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0 and "ERROR" not in done.stderr, done.stderr  # as of what does not fit together

    if runtime == "tflite-runtime":
        install(*quoted("tflite-runtime .*pillow[^ ]*"), f"pillow=={OLDEST_PILLOW}.0")
        install("--no-deps", source)
    else:
        install(source)
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
    install("pytest", "pytest-timeout", "hypothesis")
    tests = subprocess.run(
        [home / "bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen],
        cwd=source,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
    )
    assert tests.returncode == 0, tests.stdout[-4000:]
    if runtime != "tflite-runtime" and version in ("3.10", "3.11"):
        install(*quoted("tflite-runtime .*ml-dtypes.*"))  # beside LiteRT
        for name in ("litert", "tflite"):
            words = [home / "bin/edge-infer", "--check", "--model", "bpcp", "--runtime", name]
            subprocess.run(words, cwd=tmp_path, check=True)
