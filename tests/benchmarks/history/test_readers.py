"""The programs whose formats are exported read them: asv and a reader of JUnit XML, apart from ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.history.example import Shape, make
from benchmarks.history.exports import FORMATS
from benchmarks.history.store import open_store
from edge.files import write_all_beside
from tests.once import once

PACKAGES = ("asv==0.6.6", "virtualenv", "junitparser==5.0.3")
pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs."""

    def install(folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
        pip = [folder / "env/bin/python", "-m", "pip", "install", "-q", *PACKAGES]
        done = subprocess.run(pip, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no package registry: {done.stderr[-300:]}")

    return once(tmp_path_factory, "readers", install) / "env/bin"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.sqlite"
    make(path, Shape(nights=12, devices=2, models=3, missing=0))
    return path


def test_asv_publishes_the_folder(readers: Path, history: Path, tmp_path: Path) -> None:
    folder = tmp_path / "asv"
    with open_store(history) as store:
        nights = store.nights()
        write_all_beside(FORMATS["asv"].files(store, nights, folder))
        cell = next(cell for cell in store.cells() if cell.device == "pi3")
        expected = [sorted(sample.p50_ms)[1] / 1000 for sample in store.series(cell) if sample.p50_ms]
    where = {**os.environ, "HOME": str(tmp_path)}  # asv keeps its machines there
    done = subprocess.run([readers / "asv", "publish"], cwd=folder, env=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    assert "Couldn't find" not in done.stdout
    (graph,) = (folder / "html/graphs").rglob("machine-pi3/**/invoke.time_p50.json")
    index = json.loads((folder / "html/index.json").read_bytes())
    place = index["benchmarks"]["invoke.time_p50"]["params"][0].index(repr(cell.model))
    assert [values[place] for _, values in json.loads(graph.read_bytes())] == pytest.approx(expected)
    assert len(index["revision_to_date"]) == len(nights)
    newest = subprocess.run(["git", "-C", folder / "nights.git", "rev-parse", "nights"], capture_output=True, text=True)
    words = [readers / "asv", "show", "--machine", "pi3", newest.stdout.strip()]
    done = subprocess.run(words, cwd=folder, env=where, capture_output=True, text=True)
    assert "invoke.time_p50" in done.stdout, done.stdout + done.stderr


def test_a_reader_of_junit_counts_the_same(readers: Path, history: Path, tmp_path: Path) -> None:
    with open_store(history) as store:
        night = store.nights()[-1]
        verdicts = store.verdicts(night)
        write_all_beside(FORMATS["junit"].files(store, [night], tmp_path / "junit.xml"))
    script = (
        "import sys; from junitparser import JUnitXml\n"
        "for suite in JUnitXml.fromfile(sys.argv[1]):\n"
        "    for case in suite: print(case.classname, case.name, *(type(r).__name__ for r in case.result), sep='|')"
    )
    done = subprocess.run([readers / "python", "-c", script, tmp_path / "junit.xml"], capture_output=True, text=True)
    kinds = {"PASS": "", "IMPROVED": "", "REGRESSED": "|Failure", "DEVICE-DOWN": "|Error"}
    expected = [
        f"{each.cell.device}|{each.cell.model}, native, 1 thread"
        + ("|Skipped" if each.is_watched else kinds.get(each.word.value, "|Skipped"))
        for each in verdicts
    ]
    assert done.stdout.splitlines() == expected, done.stderr
