"""What network.c lets pass and LiteRT dies of all the same: one sentence, exit status 2, nothing half-written."""

from __future__ import annotations

import json

import pytest

from tests.firmware_bridge import stand_in_litert
from tests.firmware_bridge.conftest import SANITIZED

pytestmark = pytest.mark.skipif(SANITIZED, reason="the sanitizers tell of crashes in their own way")
SENTENCE = "edge-infer: LiteRT crashed with this network: "


@pytest.mark.parametrize("way", stand_in_litert.WAYS)
def test_a_crash_of_litert_is_one_sentence(tmp_path, programs, model, picture, way):
    library = stand_in_litert.build(tmp_path, way)
    ended = programs["native"]("--model", model, picture, env={"EDGE_INFER_LITERT": str(library)})
    assert ended.status == 2 and ended.out == ""
    assert ended.err.startswith(SENTENCE) and ended.err.count("\n") == 1


def test_every_image_asked_for_has_its_record(tmp_path, programs, model, picture):
    library = stand_in_litert.build(tmp_path, "SIGABRT")
    words = ["--model", model, "--json", "--output", tmp_path / "out", picture, tmp_path / "none.png"]
    ended = programs["native"](*words, env={"EDGE_INFER_LITERT": str(library)})
    assert ended.status == 2
    records = [json.loads(line) for line in ended.out.splitlines()]
    assert [record["image"] for record in records] == [str(picture), str(tmp_path / "none.png")]
    assert [record["error"]["code"] for record in records] == ["runtime.crashed"] * 2
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
