"""A small model file of the tests' own; an empty folder whose environments are kept."""

from pathlib import Path

import pytest

from tests.documents import ROOT
from tests.edge.conftest import flatbuffer, golden, model, model_bytes  # noqa: F401  (fixtures)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, but for environments: to make them takes minutes, so they are this clone's."""
    kept = ROOT / "build/bench/env"
    kept.mkdir(parents=True, exist_ok=True)
    (tmp_path / "build/bench").mkdir(parents=True)
    (tmp_path / "build/bench/env").symlink_to(kept)
    monkeypatch.chdir(tmp_path)
    return tmp_path
