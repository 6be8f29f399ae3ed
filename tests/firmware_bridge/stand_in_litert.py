"""A library that stands in for LiteRT's and ends the process where it is told: built with the system's compiler."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.edge.processes import ROOT

WAYS = {
    "SIGSEGV": "*(volatile int *)8 = 1;",
    "SIGABRT": "abort();",
    "SIGFPE": "raise(SIGFPE);",
    "SIGILL": "__builtin_trap();",
    "a full stack": "deeper(0);",
}
HEAD = """#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int deeper(int n)
{
    volatile char room[4096];
    memset((void *)room, n, sizeof room);
    return deeper(n + 1) + room[9];
}
"""


def build(folder: Path, way: str, function: str = "CreateModelFromBuffer") -> Path:
    """Return the library's path: `function` says something and ends the process, all others say that all is well."""
    if shutil.which("cc") is None:
        pytest.skip("a C compiler is not installed")
    source = (ROOT / "firmware_bridge/native/answer/runtime.c").read_text()
    table = source[source.index("FUNCTIONS[] = {") :].split("/* of generation 2.1 alone */")[0]
    names = [name for name in re.findall(r"NAMED\((\w+)\)", table) if name != function]
    lines = [HEAD, *(f"int LiteRt{name}(void) {{ return 0; }}" for name in names)]
    lines.append(
        f'int LiteRt{function}(void) {{ fputs("terminate called\\n", stderr); fflush(stderr); {WAYS[way]} return 0; }}'
    )
    (folder / "stand_in.c").write_text("\n".join(lines))
    path = folder / "libLiteRt.so.2.3.0"
    subprocess.run(["cc", "-O0", "-w", "-shared", "-fPIC", "-o", path, folder / "stand_in.c"], check=True)
    return path
