"""The README is short, and its three ways in - device, own network, board - lead where it says.

The board's commands, over ssh: tests/firmware_bridge/board/test_by_hand.py. Output and links: tests/test_documents.py.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge import model as models
from tests.documents import PROGRAMS, ROOT, code

README = (ROOT / "README.md").read_text()
SMALL_NET = """
from torch import nn


def small_net(classes: int, channels: int) -> nn.Module:
    layers = [nn.Conv2d(channels, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU()]
    layers += [nn.Conv2d(32, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, classes))
"""


def commands(section: str) -> list[str]:
    """Return the indented commands of a section, without their comments."""
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [line.split("  #")[0].strip() for line in re.findall(r"^    (\S.*)$", text, re.MULTILINE)]


def test_it_is_short_and_begins_with_what_people_need() -> None:
    lines = README.splitlines()
    assert len(lines) <= 200
    headings = [line[3:] for line in lines if line.startswith("## ")]
    assert headings[:5] == ["Install", "First answer", "Your own images and network", "A board", "Python"]
    assert lines.index("## Python") < 120
    assert "Not a medical device" in "\n".join(lines[: lines.index("## Install")])


def test_it_installs_a_clone() -> None:
    clone, environment, install = commands("Install")
    assert clone.startswith("git clone URL ")
    assert environment.startswith("python3 -m venv ") and environment.endswith("/bin/activate")
    assert install == "pip install ."  # tests/test_install.py does so


@pytest.mark.train
@pytest.mark.timeout(600)
def test_a_network_of_ones_own(tmp_path: Path) -> None:
    """The README's recipe and commands, on phantoms; with a smaller input and fewer epochs."""
    (recipe,) = code("README.md", "toml")
    smaller = re.sub(r"(height|width) = \d+", r"\1 = 32", re.sub(r"epochs = \d+", "epochs = 8", recipe))
    (tmp_path / "mine.toml").write_text(smaller)
    (tmp_path / "my_networks.py").write_text(SMALL_NET)

    def run(command: str) -> str:
        program, *words = command.split()
        words = [sys.executable, "-m", PROGRAMS[program], *words]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("edge-compress phantoms DIR --train 80 --test 8 --size 48")
    shutil.copy(next((tmp_path / "DIR/test").rglob("*.png")), tmp_path / "image.png")
    _, compress, infer = commands("Your own images and network")
    assert "prune" in run(compress)
    assert "decision:" in run(infer)
    ledger = json.loads((tmp_path / "build/mine/mine.ledger.json").read_text())
    before, after = (next(row for row in ledger if row["step"] == step) for step in ("train", "prune"))
    assert after["macs"] <= 0.55 * before["macs"]


def test_the_table_of_models() -> None:
    """Each row says what the model's manifest and card say."""
    rows = re.findall(r"^\| \[`(\w+)`\]\((\S+)\)(.*)\|$", README, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == [path.stem for path in models.shipped()]
    for name, link, row in rows:
        measured = models.read(models.find(name)).manifest.measured
        card = (ROOT / link).read_text()
        cells = [cell.strip() for cell in row.split("|")]
        assert f"{measured['file_bytes'] / 1e6:.2f} MB" == cells[-1]
        assert f"{100 * measured['macs_removed']:.1f} %" == cells[-3]
        metric, value = re.fullmatch(r"(\w+) ([\d.]+ \[.*\])", cells[-2]).groups()  # type: ignore[union-attr]
        header, _, *metrics = re.findall(r"^\|.*\|$", card.split("## On the test images")[1], re.MULTILINE)
        column = [cell.strip() for cell in header.split("|")].index(metric)
        (shipped,) = (line for line in metrics if "this file" in line)
        assert shipped.split("|")[column].strip() == value


def test_the_python_examples(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(SMALL_NET, names)
    names["network"] = names["small_net"](classes=2, channels=1)
    for number, example in enumerate(code("README.md", "python")):
        exec(compile(example, f"README.md, Python {number}", "exec"), names)
    assert capsys.readouterr().out.startswith("PNEUMONIA ")
    before, after = (sum(p.numel() for p in names[name].parameters()) for name in ("network", "small"))
    assert after < 0.8 * before
