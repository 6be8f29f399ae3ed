"""The native program's SHA-256, by the processor's own instructions and in plain C, against Python's."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from benchmarks.lab import debian
from tests.firmware_bridge.conftest import SOURCE

# Digests of the first 0, 1, 2, ... bytes of standard input, each given in two parts.
PROGRAM = """
#include "sha256.h"
#include <stdio.h>
int main(void)
{
    static unsigned char bytes[1000];
    size_t count = fread(bytes, 1, sizeof bytes, stdin);
    for (size_t length = 0; length <= count; length++) {
        struct sha256 digest;
        char hex[65];
        sha256_begin(&digest);
        sha256_add(&digest, bytes, length / 3);
        sha256_add(&digest, bytes + length / 3, length - length / 3);
        sha256_hex(&digest, hex);
        puts(hex);
    }
}
"""
PLAIN = '#include "sha256_hardware.h"\n#include <stddef.h>\nsha256_mix *sha256_hardware(void) { return NULL; }\n'


@pytest.mark.parametrize("plain", [True, False], ids=["plain C", "this processor"])
def test_digests_are_pythons(tmp_path: Path, plain: bool) -> None:
    try:
        debian.need(debian.COMPILER)
    except debian.Unavailable as error:
        pytest.skip(str(error))
    (tmp_path / "digests.c").write_text(PROGRAM)
    (tmp_path / "plain.c").write_text(PLAIN)
    mixing = tmp_path / "plain.c" if plain else SOURCE / "model/sha256_hardware.c"
    sources = [tmp_path / "digests.c", SOURCE / "model/sha256.c", mixing]
    subprocess.run(["cc", "-O2", f"-I{SOURCE}/model", *sources, "-o", tmp_path / "digests"], check=True)
    data = bytes(index * index // 7 % 256 for index in range(1000))
    said = subprocess.run([tmp_path / "digests"], input=data, capture_output=True, check=True).stdout.decode().split()
    assert said == [hashlib.sha256(data[:length]).hexdigest() for length in range(1001)]
