"""Write schema.h and operators.h: TFLite's schema and the operators' arguments as edge/tflite_schema.py has them.

So both programs hold the same.

PYTHONPATH=. python firmware_bridge/native/tools/make_schema.py firmware_bridge/native/model
"""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from textwrap import wrap

from edge import tflite_schema as schema

LETTERS = {letter: f"'{letter}'" for letter in "?bBiIqQf"}


def listed(head: str, items: list[str]) -> None:
    print(f"{head} = {{")
    glued = " ".join(f"{item},".replace(" ", "~") for item in items)
    for line in wrap(glued, 114, break_long_words=False, break_on_hyphens=False):
        print("    " + line.replace("~", " "))
    print("};")


def field(text: str) -> str:
    """Return one field's initializer: name, what it is, a vector's elements, limit, default."""
    name, _, code = text.partition(":")
    code, _, default = code.partition("=")
    code, _, limit = code.partition("<")
    if not code:
        return "{NULL, 0, 0, 0, 0}"
    element = code[1:] if code[0] == "[" else ""
    if element and element not in LETTERS:
        element = "T"
    what = "[" if element else code if code in (*LETTERS, "s", "U") else "T"
    return f"{{\"{name}\", '{what}', {repr(element) if element else 0}, {limit or 0}, {default or 0}}}"


def write_schema() -> None:
    print("/* TFLite's schema. Made by make_schema.py from edge/tflite_schema.py. */")
    for name, words in (("TENSOR_TYPES", schema.TENSOR_TYPES), ("OPERATORS", schema.OPERATORS)):
        listed(f"static const char *const {name}[]", [f'"{word}"' for word in words])
    sizes: list[tuple[str, int]] = []
    for line in schema.TABLES.replace("\n ", " ").strip().split("\n"):
        name, *fields = line.split()
        sizes.append((name, len(fields)))
        if fields:
            listed(f"static const struct field {name}_FIELDS[]", [field(text) for text in fields])
    for name, count in sizes:
        table = f"{name}_FIELDS" if count else "NULL"
        print(f'static const struct kind {name}_KIND = {{"{name}", {table}, {count}}};')
    for union, members in (("OPTIONS", schema.OPTIONS), ("OPTIONS_2", schema.OPTIONS_2)):
        kinds = ["NULL" if member == "NONE" else f"&{member}_KIND" for member in members]
        listed(f"static const struct kind *const {union}[]", kinds)
    print(f"enum {{ QUANTIZATION_DETAILS = {len(schema.QUANTIZATION_DETAILS)} }};")


def spec(line: str) -> str:
    """Return one operator's initializer: name, options, inputs (least, most, first optional), outputs (least, most)."""
    name, options, inputs, outputs = line.split(" ")
    inputs, _, optional = inputs.partition("@")
    table = "NULL" if options == "-" else f'"{options.rstrip("?")}"'
    counts = []
    for wanted in (inputs, outputs):
        least, _, most = wanted.rstrip("+").partition("-")
        counts.append(f"{least}, {255 if wanted[-1] == '+' else most or least}")
    is_free = str(options.endswith("?")).lower()
    return f'{{"{name}", {table}, {is_free}, {counts[0]}, {optional or 255}, {counts[1]}}}'


def write_operators() -> None:
    print("/* The arguments of TFLite's operators. Made by make_schema.py from edge/tflite_schema.py. */")
    lines = sorted(schema.ARGUMENTS.strip().split("\n"), key=lambda line: line.split(" ")[0])
    listed("static const struct spec SPECS[]", [spec(line) for line in lines])


def main() -> None:
    for name, write in (("schema.h", write_schema), ("operators.h", write_operators)):
        with open(Path(sys.argv[1]) / name, "w", encoding="utf-8") as file, redirect_stdout(file):
            write()


if __name__ == "__main__":
    main()
