"""`edge-deploy`: check and compile a model for the Coral Edge TPU, export it for microcontrollers."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from edge import __version__
from edge.errors import EdgeError, one_line
from firmware_bridge import coral, export_c

DISCLAIMER = "Software for engineers; not a medical device."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 done, 2 something to mend, 130 interrupted, 141 closed output."""
    options = _parser().parse_args(arguments)
    try:
        options.action(options)
        sys.stdout.flush()
        return 0
    except EdgeError as error:
        print(f"edge-deploy: {one_line(str(error))}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(
            f"edge-deploy: Python module {error.name!r} is not installed: expected the host's tools; "
            "install them with pip install '.[host]' in the project's folder",
            file=sys.stderr,
        )
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again at exit
        return 141
    except KeyboardInterrupt:
        print("\nedge-deploy: interrupted", file=sys.stderr)
        return 130
    except OSError as error:
        print(
            f"edge-deploy: {error.filename or 'output'} can't be written or read ({error.strerror}): "
            "check the path, its permissions and the space there",
            file=sys.stderr,
        )
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-deploy", description=f"Bring models to boards. {DISCLAIMER}")
    parser.add_argument("--version", action="version", version=f"edge-deploy {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    for name, module, text in (
        ("coral", coral, "check a model for the Coral Edge TPU, and compile it"),
        ("export-c", export_c, "write a model as C for a microcontroller"),
    ):
        command = commands.add_parser(name, help=text)
        module.add_arguments(command)
        command.set_defaults(action=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
