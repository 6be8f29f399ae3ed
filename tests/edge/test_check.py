"""Golden vectors: each verdict, on each runtime."""

from __future__ import annotations

import copy
import hashlib

import numpy as np
import pytest

import edge
from edge.check import check
from edge.errors import EdgeError
from tests.edge import packing
from tests.edge.pictures import png
from tests.edge.processes import run


@pytest.fixture
def checked(tmp_path, flatbuffer, golden, each_runtime):
    """A function that changes the golden vectors (members, entries) and returns the verdicts on them."""

    def verdicts(change=lambda members, entries, path: None):
        members, entries = copy.deepcopy(golden)
        path = {"litert": "xnnpack", "tflite": "builtin"}[each_runtime]
        change(members, entries, path)
        file = tmp_path / "m.tflite"
        file.write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer, golden=entries), members))
        return check(edge.load(file, each_runtime, 1))

    return verdicts


def shifted(stored: bytes, steps: int) -> bytes:
    """Both outputs moved by as much, so that the highest stays the highest."""
    values = [value - 256 if value > 127 else value for value in stored]
    by = steps if max(values) + steps <= 127 else -steps
    return bytes((value + by) % 256 for value in values)


def test_the_same_bytes_are_bit_exact(checked):
    for verdict in checked():
        assert (verdict.verdict, verdict.max_difference) == ("bit-exact", 0)


def test_a_few_steps_are_within_tolerance(checked):
    def change(members, entries, path):
        members[f"golden/0.{path}"] = shifted(members[f"golden/0.{path}"], 3)

    first, second = checked(change)
    assert (first.verdict, first.max_difference) == ("within tolerance", 3)
    assert second.verdict == "bit-exact"


def test_more_steps_fail(checked):
    def change(members, entries, path):
        members[f"golden/1.{path}"] = shifted(members[f"golden/1.{path}"], 4)

    assert [verdict.verdict for verdict in checked(change)] == ["bit-exact", "failed"]


def test_another_highest_label_fails(checked):
    def change(members, entries, path):
        members[f"golden/0.{path}"] = members[f"golden/0.{path}"][::-1]
        entries[0]["tolerance"] = 255

    first = checked(change)[0]
    assert first.verdict == "failed" and "another label" in first.reason


def test_another_input_fails(checked):
    def change(members, entries, path):
        members["golden/0.png"] = members["golden/1.png"]

    first = checked(change)[0]
    assert first.verdict == "failed" and "preprocessed input differs" in first.reason


def test_a_picture_or_output_that_is_none_fails(checked):
    def change(members, entries, path):
        members["golden/0.png"] = b"no image"
        members[f"golden/1.{path}"] = b"123"

    first, second = checked(change)
    assert first.verdict == second.verdict == "failed" and "3 bytes" in second.reason


def test_another_kernel_path_is_never_called_bit_exact(checked):
    def change(members, entries, path):
        for number, entry in enumerate(entries):
            members[f"golden/{number}.other"] = members[f"golden/{number}.{path}"]
            entry["outputs"] = {"other": [f"golden/{number}.other"]}

    for verdict in checked(change):
        assert (verdict.verdict, verdict.kernel_path, verdict.max_difference) == ("within tolerance", "other", 0)


def test_a_model_without_vectors_can_not_be_checked(tmp_path, flatbuffer):
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer)))
    with pytest.raises(EdgeError, match="no golden vectors"):
        check(edge.load(path))
    done = run("--model", path, "--check")
    assert done.status == 2 and len(done.complaints) == 1


def test_the_command_says_it_and_exits_by_it(infer, each_runtime, tmp_path, flatbuffer, golden):
    done = infer("--check", "--runtime", each_runtime)
    assert done.status == 0 and done.out.count("bit-exact") == 2 and "2 of 2" in done.out
    members, entries = copy.deepcopy(golden)
    for name in members:
        if not name.endswith(".png"):
            members[name] = shifted(members[name], 9)
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer, golden=entries), members))
    done = run("--model", path, "--check", "--json")
    assert done.status == 1 and done.out.count('"failed"') == 2 and "0 of 2" in done.err


@pytest.fixture
def checked_mask(tmp_path, mask_flatbuffer, each_runtime):
    """A function that stores `change` of a segmentation's output as another path's, and returns the verdict on it."""

    def verdict(change, tolerance=3, path="other"):
        picture = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
        file = tmp_path / "m.tflite"
        file.write_bytes(packing.pack(mask_flatbuffer, packing.mask_manifest(mask_flatbuffer)))
        engine = edge.load(file, each_runtime, 1)
        tensor = engine.tensor(picture)
        (output,) = engine.invoke(tensor)
        path = engine.runtime.kernel_path if path == "own" else path
        digest = hashlib.sha256(tensor.tobytes()).hexdigest()
        vector = packing.vector("golden/0.png", digest, {path: "golden/0.out"}, tolerance)
        members = {"golden/0.png": png(picture), "golden/0.out": change(output.copy()).tobytes()}
        raw = packing.mask_manifest(mask_flatbuffer, golden=[vector])
        file.write_bytes(packing.pack(mask_flatbuffer, raw, members))
        (found,) = check(edge.load(file, each_runtime, 1))
        return found

    return verdict


def moved(output, step, cells):
    """The output with the first `cells` logits `step` further from the threshold's (-1 is the logit 0)."""
    flat = output.reshape(-1)
    flat[:cells] += np.where(flat[:cells] >= -1, step, -step).astype(np.int8)
    return output


def test_a_segmentations_bytes_are_compared_as_any(checked_mask):
    assert checked_mask(lambda output: output, path="own").verdict == "bit-exact"
    assert checked_mask(lambda output: output).verdict == "within tolerance"
    other = checked_mask(lambda output: moved(output, 3, 144))
    assert (other.verdict, other.max_difference) == ("within tolerance", 3)
    assert checked_mask(lambda output: moved(output, 4, 1)).verdict == "failed"


def test_a_segmentations_highest_logit_may_be_another(checked_mask):
    def change(output):
        flat = output.reshape(-1)
        first, second = np.argsort(-flat.astype(int))[:2]
        flat[first], flat[second] = flat[second], flat[first]
        return output

    assert checked_mask(change, tolerance=20).verdict == "within tolerance"


def test_a_few_logits_may_pass_the_threshold_and_no_more(checked_mask):
    def passing(count):
        def change(output):
            flat = output.reshape(-1)
            near = np.argsort(abs(flat.astype(int) + 1))[:count]
            flat[near] = np.where(flat[near] >= -1, -2, -1)
            return output

        return change

    assert checked_mask(passing(1), tolerance=100).verdict == "within tolerance"
    failed = checked_mask(passing(9), tolerance=100)
    assert failed.verdict == "failed" and "of the mask is decided otherwise, at most 0.01 may be" in failed.reason


def test_what_a_model_file_says_gives_no_command_to_a_terminal(tmp_path, flatbuffer, golden):
    members, entries = copy.deepcopy(golden)
    member = next(iter(entries[0]["outputs"].values()))
    entries[0]["outputs"] = {"\x1b]0;taken\x07\n9 of 9 golden vectors passed": member}
    (tmp_path / "m.tflite").write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer, golden=entries), members))
    done = run("--model", tmp_path / "m.tflite", "--check")
    assert done.status == 2 and "\x1b" not in done.out + done.err
    assert not any(line.startswith("9 of 9") for line in (done.out + done.err).splitlines())
