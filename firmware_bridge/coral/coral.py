"""`edge-deploy coral`: what of a model the Coral Edge TPU would take, and its compiler where it is installed.

The compiler alone decides: `--compile` asks it (firmware_bridge/coral/edgetpu_compiler.py). docs/coral.md says what of
this was ever run on hardware.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from edge.command import log
from edge.errors import EdgeError
from edge.strict_json import dumps

if TYPE_CHECKING:
    from edge.manifest import Compiled
    from firmware_bridge.coral.mapping import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `edge-deploy coral` takes."""
    parser.add_argument("model", metavar="MODEL", help="a model file, or the name of a shipped model")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "--compile", action="store_true", help="also run edgetpu_compiler, and keep what it makes in the model file"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="with --compile: the model file to write (default: MODEL itself)"
    )


def run(options: argparse.Namespace) -> None:
    """Run `edge-deploy coral`."""
    # The schema of flatbuffers and numpy are tools of the host that other commands do without.
    from compress.convert import graph
    from edge.model import find, read
    from firmware_bridge.coral.mapping import examine

    if options.output is not None and not options.compile:
        raise EdgeError("--output was given without --compile: nothing would be written; add --compile or leave it out")
    file = read(find(options.model))
    report = examine(graph.read(file.flatbuffer, file.path))
    if options.compile:
        from firmware_bridge.coral import edgetpu_compiler

        path = edgetpu_compiler.destination(file, options.output)
        edgetpu_compiler.store(file, edgetpu_compiler.compile_model(file), path)
        file = read(path)
    if options.json:
        compiled = None if file.manifest.edgetpu is None else file.manifest.raw["edgetpu"]
        print(dumps({"model": file.manifest.name, **report.record(), "compiled": compiled}, "the answer"))
    else:
        for line in (*_lines(file.manifest.name, report), *_compiled_lines(file.manifest.edgetpu)):
            log(line)


def _lines(name: str, report: Report) -> list[str]:
    lines = [
        f"{name}: {report.mapped_operators} of {report.operators} operators and {100 * report.mac_share:.4g} % of "
        f"{report.macs / 1e6:,.1f} M MACs would map to the Edge TPU",
        f"parameters  {report.parameter_bytes:,} bytes, the cache holds {report.cache_bytes:,} less the program: "
        + (f"{report.streamed_bytes:,} at least are streamed" if report.streamed_bytes else "none need be streamed"),
    ]
    if report.refusals:
        lines.append("not mapped")
        counts = Counter((refusal.operator, refusal.reason) for refusal in report.refusals)
        width = max(len(operator) for operator, _ in counts)
        lines += [f"  {count:>4}  {operator:<{width}}  {reason}" for (operator, reason), count in counts.items()]
    lines += [f"doubtful    {operator} {doubt}" for operator, doubt in report.doubts.items()]
    lines.append("by the documented rules; edgetpu_compiler decides")
    return lines


def _compiled_lines(compiled: Compiled | None) -> list[str]:
    if compiled is None:
        return ["compiled    not yet: --compile runs edgetpu_compiler"]
    lines = [
        f"compiled    by edgetpu_compiler {compiled.compiler}: {compiled.mapped} of {compiled.operators} operators "
        "mapped",
        f"memory      {compiled.on_chip_bytes:,} bytes of parameters cached, {compiled.on_chip_free_bytes:,} free, "
        f"{compiled.off_chip_bytes:,} streamed",
    ]
    return lines + [f"  {row.times:>4}  {row.operator}  {row.reason}" for row in compiled.unmapped]
