"""`edge-deploy run`: images of this machine answered by boards, as `edge-infer` would answer them there."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from edge.errors import EdgeError, one_line
from edge.record import error_record
from edge.results import Results
from edge.strict_json import dumps
from firmware_bridge.board import board, fleet
from firmware_bridge.board.ssh import Connection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `edge-deploy run` takes beside the host."""
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="on this machine: a file, a folder, a quoted pattern, or - for standard input",
    )
    parser.add_argument("--model", metavar="NAME", help="one of the board's models (default: the board's own default)")
    parser.add_argument("--runtime", metavar="NAME", default="auto", help="as edge-infer there takes it: edgetpu, ...")
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="also write each answer to DIR, of several hosts to DIR/HOST, as edge-infer --output does",
    )


def run(options: argparse.Namespace) -> None:
    """Run `edge-deploy run`: a JSON object a line for every image asked for, with several hosts of every host."""
    hosts = fleet.hosts([options.host])
    images, failed = _images(options.images, options.output)
    if any(image == board.STDIN for image, _ in images) and len(hosts) > 1:
        raise EdgeError(
            "- and several hosts were given: expected files, as standard input can be read once; name them",
            "arguments.invalid",
        )
    for word, error in failed:
        print(dumps(error_record(word, error), word), flush=True)
        if images or error is not failed[-1][1]:
            print(f"edge-deploy: {one_line(str(error))}", file=sys.stderr, flush=True)
    if not images:
        raise failed[-1][1]

    def answer(here: fleet.Board) -> None:
        results = None if options.output is None else Results(_place(options.output, here.host, len(hosts) > 1))
        with here.connect() as connection:
            wrong = [error for error in _answers(connection, here, options, images, results, len(hosts) > 1) if error]
        count, asked = len(wrong) + len(failed), len(images) + len(failed)
        if asked == 1 and wrong:
            raise wrong[0]
        for error in wrong:
            here.complain(str(error))
        if count:
            raise EdgeError(
                f"{here.host}: {count} of {asked} images have no answer: expected all; see their lines",
                "board.failed",
            )

    fleet.Fleet(hosts, options.folder, fleet.BARE).each(answer)


def _answers(
    connection: Connection,
    here: fleet.Board,
    options: argparse.Namespace,
    images: list[tuple[str, str | None]],
    results: Results | None,
    several: bool,
) -> Iterator[EdgeError | None]:
    """Ask for the images one after the other; yield what went wrong with each."""
    noted = set[str]()
    for name, root in images:
        error: EdgeError | None = None
        place = None if results is None else results.place(name, root)
        try:
            ran = board.run(connection, here.folder, name, options.model, options.runtime, results is not None)
            error = _error_in(here.host, ran)
        except EdgeError as raised:
            ran, error = board.Ran(error_record(name, raised), [], {}), raised
        for line in ran.notes:
            if line not in noted:  # what is said of every image is said once
                here.note(line)
            noted.add(line)
        if results is not None and place is not None:
            try:
                results.write(place, ran.record, ran.files)
            except EdgeError as raised:
                error = error or raised
        here.log(dumps({"host": here.host, **ran.record} if several else ran.record, name))
        yield error


def _place(output: str, host: str, several: bool) -> str:
    return os.path.join(output, host.replace("/", "_")) if several else output


def _images(words: list[str], output: str | None) -> tuple[list[tuple[str, str | None]], list[tuple[str, EdgeError]]]:
    """Return the images that the words stand for, each with the folder that was looked into, and what stands for none.

    Says how many other files are in the folders.
    """
    from edge.sources import expand, left_out_line

    images: list[tuple[str, str | None]] = []
    failed: list[tuple[str, EdgeError]] = []
    for word in words:
        try:
            found = expand(word, None if output is None else os.path.realpath(output))
        except EdgeError as error:
            failed.append((word, error))
            continue
        images += [(image, found.root) for image in found]
        line = left_out_line(found.left_out)
        if line:
            print(f"note: {one_line(word)}: {line}", file=sys.stderr, flush=True)
    return images, failed


def _error_in(host: str, ran: board.Ran) -> EdgeError | None:
    error = ran.record.get("error")
    if not isinstance(error, dict):
        return None
    return EdgeError(f"{host}: {error.get('message')}", str(error.get("code")))
