"""`edge-compress`: run a recipe, show or pack a model file, draw phantoms."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from compress import recipe_file
from edge import __version__
from edge.arguments import Parser, add_command
from edge.command import ended
from edge.errors import EdgeError
from edge.model import find, read

DISCLAIMER = "Software for engineers; not a medical device."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 done, 2 something to mend, 130 interrupted, 141 closed output."""

    def act() -> None:
        options = _parser().parse_args(arguments)
        options.action(options)

    return ended("edge-compress", act, "the same command goes on from the last checkpoint")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="edge-compress",
        description=f"Make a network small and board-ready. {DISCLAIMER}",
        epilog="exit status: 0 done, 2 something to mend, 130 interrupted, 141 output closed early",
    )
    parser.add_argument("--version", action="version", version=f"edge-compress {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = add_command(commands, "run", "run a recipe: train, prune, convert, verify")
    run.add_argument("recipe", metavar="RECIPE", help="a recipe file (.toml), or the name of a shipped one")
    run.add_argument("--data", required=True, type=Path, metavar="DIR", help="the data set's folder (docs/recipes.md)")
    run.add_argument("--output", required=True, type=Path, metavar="DIR", help="where the model and checkpoints go")
    run.add_argument("--weights", type=Path, metavar="FILE", help="a trained network's state_dict to begin with")
    run.add_argument("--changed", action="store_true", help="the recipe has changed: repeat what that concerns")
    run.add_argument("--threads", type=int, metavar="N", help="processor threads (default: all cores)")
    run.set_defaults(action=_run)

    show = add_command(commands, "show", "print what is in a model file")
    show.add_argument("model", metavar="MODEL", help="a model file, or the name of a shipped model")
    show.add_argument("--json", action="store_true", help="the manifest as it stands in the file")
    show.set_defaults(action=_show)

    pack = add_command(commands, "pack", "add a manifest to a plain TFLite model")
    pack.add_argument("model", type=Path, metavar="MODEL", help="a .tflite file")
    pack.add_argument(
        "--manifest", required=True, type=Path, metavar="FILE", help="the manifest, JSON (docs/model-file.md)"
    )
    pack.add_argument("--output", required=True, type=Path, metavar="FILE", help="the model file to write")
    pack.set_defaults(action=_pack)

    phantoms = add_command(commands, "phantoms", "draw a data set of phantom X-rays")
    phantoms.add_argument("folder", type=Path, metavar="DIR", help="where train/ and test/ go")
    for name, number, text in (("train", 160, "training"), ("test", 40, "test")):
        help_text = f"{text} pictures of each class (default: %(default)s)"
        phantoms.add_argument(f"--{name}", type=int, default=number, metavar="N", help=help_text)
    phantoms.add_argument(
        "--size", type=int, default=224, metavar="PIXELS", help="side of a picture (default: %(default)s)"
    )
    phantoms.set_defaults(action=_phantoms)
    return parser


class Progress:
    """What is being done, on standard error: one line that changes on a terminal, now and then a line elsewhere.

    A text that ends with a line break is worth keeping and stays.
    """

    INTERVAL = 15.0  # seconds between lines where nobody watches

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = 0.0

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if text.endswith("\n"):
            sys.stderr.write(("\r\033[K" if self._terminal else "") + text)
        elif self._terminal:
            sys.stderr.write(f"\r\033[K{text[:110]}")
        elif now - self._last >= self.INTERVAL:
            self._last = now
            sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def say(self, text: str) -> None:
        """Print a line of result on standard output."""
        if self._terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
        print(text, flush=True)


def _run(options: argparse.Namespace) -> None:
    if options.threads is not None and options.threads < 1:
        raise EdgeError(f"{options.threads} threads were asked for: expected 1 or more")
    weights = options.weights and options.weights.absolute()
    raw, where = recipe_file.read(options.recipe)
    recipe_file.check(raw, where, options.data, options.output, weights)

    import torch  # this takes seconds

    from compress.pipeline import Run
    from compress.recipe import parse
    from compress.report import table

    recipe = parse(raw, where)
    if weights:
        recipe = dataclasses.replace(recipe, weights=str(weights))
    if options.threads:
        torch.set_num_threads(options.threads)
    progress = Progress()
    run = Run(recipe, options.data, options.output, progress.say, progress, options.changed)
    path = run()
    result = json.loads(path.with_suffix(".report.json").read_text())
    progress.say("")
    for line in run.ledger.lines():
        progress.say(line)
    progress.say("")
    for line in table(result, recipe):
        progress.say(line)
    progress.say(
        f"\nmodel  {path}\nchart  {path.with_suffix('.ledger.png')}\nreport {path.with_suffix('.report.json')}"
    )


def _show(options: argparse.Namespace) -> None:
    file = read(find(options.model))
    raw = file.manifest.raw
    if options.json:
        print(json.dumps(raw, indent=1, ensure_ascii=False))
        return
    print(f"{raw['name']}: {raw['title']}")
    print(f"file       {file.path}, {file.size:,} bytes, manifest version {raw['version']}")
    print(f"task       {raw['task']}: {', '.join(raw['labels'])}")
    if raw["decision"]:
        print(f"decision   {raw['decision']['label']} where its score is at least {raw['decision']['threshold']:.4f}")
        if raw["decision"].get("minimum_area"):
            print(f"           regions under {raw['decision']['minimum_area']:.2%} of the picture are left out")
    how = raw["input"]
    print(
        f"input      {how['height']}x{how['width']}, {how['color']} in {how['channels']} planes, {how['fit']}; "
        f"{raw['runtime']['type']}"
    )
    print("operators  " + ", ".join(f"{name} {count}" for name, count in raw["runtime"]["operators"].items()))
    print("measured")
    for name, value in raw["measured"].items():
        print(f"  {name:<16} {value:,}")
    print("targets")
    for target in raw["targets"]:
        sign = "<=" if target["better"] == "lower" else ">="
        print(f"  {target['name']:<16} {sign} {target['target']:,}  ({target['source']})")
    print("provenance")
    for key, value in raw["provenance"].items():
        if isinstance(value, list):
            print(f"  {key}")
            for item in value:
                print(f"    {json.dumps(item, ensure_ascii=False)}")
        else:
            print(f"  {key:<16} {value if isinstance(value, (str, int)) else json.dumps(value, ensure_ascii=False)}")
    print(f"golden     {len(raw['golden'])} pictures; run them with edge-infer --check --model {options.model}")


def _pack(options: argparse.Namespace) -> None:
    from compress.model_file import write
    from edge.image import read_bytes

    try:
        manifest = json.loads(read_bytes(options.manifest))
    except ValueError as error:
        raise EdgeError(
            f"{options.manifest} is no JSON ({error}): expected a manifest as in docs/model-file.md"
        ) from None
    if not isinstance(manifest, dict):
        raise EdgeError(f"{options.manifest} holds a {type(manifest).__name__}: expected a JSON object")
    write(options.output, read_bytes(options.model), manifest, {})
    print(options.output)


def _phantoms(options: argparse.Namespace) -> None:
    from compress.phantom import write_folder

    if min(options.train, options.test) < 1 or not 16 <= options.size <= 4096:
        raise EdgeError("phantoms: expected at least 1 picture of each kind, and a size from 16 to 4096 pixels")
    write_folder(options.folder, options.train, options.test, options.size, Progress())
    print(options.folder)


if __name__ == "__main__":
    sys.exit(main())
