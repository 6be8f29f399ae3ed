"""`edge-deploy export-c`: a network as C for a microcontroller, run in tflite-micro before it is written."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edge import __version__
from edge.answer import Decision
from edge.command import log
from edge.errors import EdgeError
from edge.files import write_all_beside

if TYPE_CHECKING:
    from edge.model import ModelFile
    from firmware_bridge.micro.micro import Trial

ALIGNMENT = 16  # what TFLite asks of a flatbuffer

_BYTES_A_LINE = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `edge-deploy export-c` takes."""
    parser.add_argument("model", metavar="MODEL", help="a model file, or the name of a shipped model")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="where NAME.c and NAME.h go")


def run(options: argparse.Namespace) -> None:
    """Run `edge-deploy export-c`."""
    from edge.activation import check_activations
    from edge.model import find, read
    from firmware_bridge.micro import micro

    file = read(find(options.model))
    check_activations(file.manifest.outputs, file.network(), file.path)
    trial = micro.run(file)
    for verdict in trial.verdicts:
        if verdict.failed:
            raise EdgeError(
                f"tflite-micro {trial.version} computes something else than the host for {verdict.image} of "
                f"{file.path} ({verdict.reason}): nothing was written; convert the network again"
            )
    name = file.manifest.name
    paths = {options.output / f"{name}.h": header(file, trial), options.output / f"{name}.c": source(file)}
    write(paths)
    for path in paths:
        log(str(path))
    log(f"arena   {trial.arena_bytes:,} bytes, found by running it in tflite-micro {trial.version} on this machine")
    for verdict in trial.verdicts:
        log(f"{verdict.image}: {verdict.verdict}: {verdict.reason}")
    if not trial.verdicts:
        log("not compared: the model file has no golden vectors")


def identifier(name: str) -> str:
    """Return a model's name as a C identifier, in lower case: "my-net" is my_net, "3d" is model_3d."""
    word = name.replace("-", "_")
    return word if word[0].isalpha() else f"model_{word}"


def header(file: ModelFile, trial: Trial) -> str:
    """Return NAME.h: sizes, quantization, preprocessing and decision as macros, and what NAME.c defines."""
    manifest = file.manifest
    name, spec = identifier(manifest.name), manifest.inputs[0]
    macros = _macros(file, trial)
    task = manifest.task.name
    guard = f"EDGE_{name.upper()}_H"
    operators = ", ".join(f"{operator} {count}" for operator, count in manifest.operators.items())
    return f"""\
/*
 * {_comment(manifest.title)}
 *
 * {task}, {manifest.type}; written by edge-deploy export-c {__version__} from the flatbuffer with the SHA-256
 * {manifest.model_sha256}.
 * Software for engineers; not a medical device.
 *
 * Input: {_shape(trial.input.shape)}, {spec.color}, values (pixel / 255 - mean) / std.{_window(spec.window)}
 * Output: {_shape(trial.output.shape)}, {_outputs(manifest.outputs[0].activation)}.
 * int8: real = (q - zero point) * scale.
 * The arena is the smallest with which tflite-micro {trial.version} ran the network on a 64-bit machine
 * with its reference kernels. A 32-bit machine needs less of it for structures; optimized kernels may need more.
 * Operators: {_comment(operators)}.
 */
#ifndef {guard}
#define {guard}

#include <stdint.h>

{"".join(f"#define {name.upper()}_{key} {value}{chr(10)}" for key, value in macros.items())}
#ifdef __cplusplus
extern "C" {{
#endif

extern const uint8_t {name}_model[]; /* aligned to {ALIGNMENT} bytes */
extern const uint32_t {name}_model_bytes;
extern const char *const {name}_labels[{name.upper()}_LABELS]; /* UTF-8, in the order of the outputs */

#ifdef __cplusplus
}}
#endif

#endif
"""


def _macros(file: ModelFile, trial: Trial) -> dict[str, object]:
    """Return what NAME.h defines: name without the model's own in front -> value."""
    manifest, spec = file.manifest, file.manifest.inputs[0]
    macros: dict[str, object] = {
        "ARENA_BYTES": trial.arena_bytes,
        "OPERATORS": len(manifest.operators),
        "INPUT_HEIGHT": spec.height,
        "INPUT_WIDTH": spec.width,
        "INPUT_CHANNELS": spec.channels,
        "INPUT_MEAN": _list(spec.mean),
        "INPUT_STD": _list(spec.std),
        "OUTPUT_ELEMENTS": math.prod(trial.output.shape),
        "LABELS": len(manifest.labels),
    }
    if manifest.type == "int8":
        for side, tensor in (("INPUT", trial.input), ("OUTPUT", trial.output)):
            macros[f"{side}_SCALE"] = _float(tensor.scale)
            macros[f"{side}_ZERO_POINT"] = f"({tensor.zero_point})"
    rule = getattr(manifest.task, "decision", None)
    if isinstance(rule, Decision):
        macros["DECISION_LABEL"] = manifest.labels.index(rule.label)
        macros["DECISION_THRESHOLD"] = _float(rule.threshold)
        if "minimum_area" in manifest.raw["outputs"][0]["decision"]:
            macros["DECISION_MINIMUM_AREA"] = _float(rule.minimum_area)
    if spec.window is not None:
        macros["INPUT_WINDOW_LOW"], macros["INPUT_WINDOW_HIGH"] = spec.window
    return macros


def source(file: ModelFile) -> str:
    """Return NAME.c: the flatbuffer, its length and the labels."""
    name, flatbuffer = identifier(file.manifest.name), file.flatbuffer
    rows = (flatbuffer[i : i + _BYTES_A_LINE] for i in range(0, len(flatbuffer), _BYTES_A_LINE))
    array = "\n".join("    " + ", ".join(map(str, row)) + "," for row in rows)
    labels = "\n".join(f"    {_string(label)}," for label in file.manifest.labels)
    return f"""\
#include "{file.manifest.name}.h"

#include <stdalign.h>

alignas({ALIGNMENT}) const uint8_t {name}_model[] = {{
{array}
}};

const uint32_t {name}_model_bytes = {len(flatbuffer)};

const char *const {name}_labels[{name.upper()}_LABELS] = {{
{labels}
}};
"""


def write(contents: Mapping[Path, str]) -> None:
    """Write all of the files or none.

    Raises EdgeError where one can't be written.
    """
    try:
        write_all_beside({path: text.encode() for path, text in contents.items()})
    except OSError as error:
        raise EdgeError(
            f"{error.filename or next(iter(contents))} can't be written ({error.strerror}): make room, or give "
            "--output another folder"
        ) from None


def _outputs(activation: str) -> str:
    if not activation:
        return "as its task has it"
    return "scores from 0 to 1" if activation == "none" else f"logits; {activation} after it gives scores"


def _string(text: str) -> str:
    """Return a C string of the text's UTF-8; all but plain letters as octal, which no digit or trigraph can change."""
    plain = re.compile(r"[ A-Za-z0-9_.,:;()+=/-]")
    letters = [chr(byte) if plain.fullmatch(chr(byte)) else f"\\{byte:03o}" for byte in text.encode()]
    return '"' + "".join(letters) + '"'


def _comment(text: str) -> str:
    """Return it as it may stand in a C comment: nothing ends it, or begins another."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/").replace("??", "? ?")


def _window(window: tuple[int, int] | None) -> str:
    if window is None:
        return ""
    low, high = window
    return (
        f"\n * A pixel is made of a stored value v as floor((510 * (v - {low}) + {high - low}) / {2 * (high - low)}), "
        "clipped to 0..255."
    )


def _list(values: tuple[float, ...]) -> str:
    return "{" + ", ".join(map(_float, values)) + "}"


def _float(value: float) -> str:
    """Return a C constant of single precision with digits enough to be read back as it is."""
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
