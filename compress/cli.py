"""`edge-compress`: run a recipe, show or pack a model file, draw phantoms, install a converter."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from compress import recipe_file
from compress.convert.command import add_options
from edge import __version__
from edge.arguments import Parser, add_command
from edge.board import usable_cores
from edge.command import Progress, ended, log
from edge.errors import EdgeError

DISCLAIMER = "Software for engineers; not a medical device."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 done, 2 invalid input, 130 interrupted, 141 closed output."""

    def act() -> None:
        options = _parser().parse_args(arguments)
        options.action(options)

    return ended("edge-compress", act, "the same command goes on from the last checkpoint")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="edge-compress",
        description=f"Make a network small and board-ready. {DISCLAIMER}",
        epilog="exit status: 0 done, 2 invalid input or configuration, 130 interrupted, 141 output closed early",
    )
    parser.add_argument("--version", action="version", version=f"edge-compress {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = add_command(commands, "run", "run a recipe: train, prune, convert, verify")
    run.add_argument("recipe", metavar="RECIPE", help="a recipe file (.toml), or the name of a shipped one")
    run.add_argument("--data", required=True, type=Path, metavar="DIR", help="the data set's folder (docs/recipes.md)")
    run.add_argument("--output", required=True, type=Path, metavar="DIR", help="where the model and checkpoints go")
    run.add_argument("--weights", type=Path, metavar="FILE", help="a trained network's state_dict to begin with")
    run.add_argument("--changed", action="store_true", help="the recipe has changed: repeat what that concerns")
    run.add_argument("--threads", type=int, metavar="N", help="processor threads (default: the cores of this process)")
    run.set_defaults(action=_run)

    show = add_command(commands, "show", "print what is in a model file")
    show.add_argument("model", metavar="MODEL", help="a model file, or the name of a shipped model")
    show.add_argument(
        "--tensors", action="store_true", help="int8 against float, tensor by tensor (docs/conversion.md)"
    )
    show.add_argument("--json", action="store_true", help="the manifest, or the table of tensors, as JSON")
    show.set_defaults(action=_show)

    convert = add_command(commands, "convert", "quantize a float32 TFLite file of your own")
    add_options(convert)

    pack = add_command(commands, "pack", "add a manifest to a plain TFLite model")
    pack.add_argument("model", type=Path, metavar="MODEL", help="a .tflite file")
    pack.add_argument("--manifest", type=Path, metavar="FILE", help="the manifest, JSON (docs/model-file.md)")
    pack.add_argument("--output", type=Path, metavar="FILE", help="the model file to write")
    pack.add_argument(
        "--init", action="store_true", help="write an example manifest to fill in, by default MODEL's .manifest.json"
    )
    pack.set_defaults(action=_pack)

    phantoms = add_command(commands, "phantoms", "draw a data set of phantom X-rays")
    phantoms.add_argument("folder", type=Path, metavar="DIR", help="where train/ and test/ go")
    for name, number, text in (("train", 160, "training"), ("test", 40, "test")):
        help_text = f"{text} images of each class (default: %(default)s)"
        phantoms.add_argument(f"--{name}", type=int, default=number, metavar="N", help=help_text)
    phantoms.add_argument(
        "--size", type=int, default=224, metavar="PIXELS", help="side of an image (default: %(default)s)"
    )
    phantoms.set_defaults(action=_phantoms)

    route = add_command(commands, "route", "install a converter in an environment of its own")
    route.add_argument(
        "route", metavar="ROUTE", choices=("litert",), help="%(choices)s: litert-torch (1.9 GB, minutes)"
    )
    route.set_defaults(action=_route)
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.threads is not None and options.threads < 1:
        raise EdgeError(f"{options.threads} threads were asked for: expected 1 or more")
    weights = options.weights and options.weights.absolute()
    raw, where = recipe_file.read(options.recipe)
    recipe_file.check(raw, where, options.data, options.output, weights)

    import torch  # this takes seconds

    import compress

    # PyTorch counts the machine's cores, whatever share of them a container may use.
    torch.set_num_threads(options.threads or min(torch.get_num_threads(), usable_cores()))
    progress = Progress()
    result = compress.run(
        options.recipe,
        data=options.data,
        output=options.output,
        weights=weights,
        changed=options.changed,
        log=progress.log,
        progress=progress,
    )
    path = result.model
    for line in ("", *result.lines):
        progress.log(line)
    progress.log(
        f"\nmodel  {path}\ncharts {path.with_suffix('.ledger.png')} {path.with_suffix('.tensors.png')}"
        f"\nreport {path.with_suffix('.report.json')}"
    )


def _show(options: argparse.Namespace) -> None:
    from compress.report import show, tensors
    from edge.model import find, read  # numpy comes with it

    file = read(find(options.model))
    if options.tensors:
        table = tensors.read(file)
        for line in (tensors.as_json(table),) if options.json else tensors.lines(table):
            log(line)
    elif options.json:
        print(json.dumps(file.manifest.raw, indent=1))  # in ASCII: no terminal takes any of it for a command
    else:
        for line in show.lines(file, options.model):
            log(line)


def _pack(options: argparse.Namespace) -> None:
    from compress.convert.packing import command

    command.run(options.model, options.manifest, options.output, options.init)


def _phantoms(options: argparse.Namespace) -> None:
    from compress.data.phantom import write_folder

    if min(options.train, options.test) < 1 or not 16 <= options.size <= 4096:
        raise EdgeError("phantoms: expected at least 1 image of each kind, and a size from 16 to 4096 pixels")
    write_folder(options.folder, options.train, options.test, options.size, Progress())
    log(str(options.folder))


def _route(options: argparse.Namespace) -> None:
    from compress.convert.routes.litert import Litert

    log(str(Litert().set_up(log)))


if __name__ == "__main__":
    sys.exit(main())
