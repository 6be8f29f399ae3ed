"""A short run of the fuzzers; `python -m benchmarks.robustness.fuzzing` is the long one."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks.lab import debian
from benchmarks.robustness import fuzzing
from tests.firmware_bridge.conftest import BUILT_WITH

pytestmark = [pytest.mark.compile, pytest.mark.timeout(300)]
SECONDS = 8  # of the processor, for each of the two


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    try:
        libraries = "/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a"
        debian.need({**BUILT_WITH, "clang": "clang", libraries: "libclang-rt-14-dev"})
    except debian.Unavailable as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("fuzz")
    source = b"#include <png.h>\n#include <jansson.h>\n"
    source += b"int LLVMFuzzerTestOneInput(const char *a, long b) { return !a && b; }\n"
    trial = ["clang", "-fsanitize=fuzzer,address,undefined", "-x", "c", "-", "-o", str(folder / "trial")]
    done = subprocess.run(trial, input=source, capture_output=True)
    if done.returncode:
        pytest.skip(f"clang has no libFuzzer, or a library is missing: {done.stderr.decode().splitlines()[-1:]}")
    fuzzing.build(folder)
    return folder


@pytest.mark.parametrize("name", ["image", "model"])
def test_random_damage_is_no_finding(built, name):
    run = fuzzing.fuzz(name, SECONDS, built)
    assert not run.found, run.found
    # The seeds themselves get so far: decoders and checks are reached, not refused at the door.
    assert run.executed > 500 and run.edges > 450
    assert len(list((built / "corpus" / name).iterdir())) > len(list((built / "corpus" / name).glob("seed-*")))


def test_what_the_fuzzer_finds_is_told(built):
    """Of a program that ends as libFuzzer does."""
    (built / "fuzz-broken").write_text("#!/bin/sh\necho 'ERROR: AddressSanitizer: heap-buffer-overflow' >&2\nexit 77\n")
    (built / "fuzz-broken").chmod(0o755)
    assert "heap-buffer-overflow" in fuzzing.fuzz("broken", 1, built).found
