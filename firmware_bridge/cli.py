"""`edge-deploy`: install runtime and models on a board, and roll back safely."""

from __future__ import annotations

import argparse
import dataclasses
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from edge import __version__
from edge.arguments import Parser, add_command
from edge.command import OK, Progress, ended
from edge.errors import EdgeError
from edge.scratch import clear
from edge.strict_json import dumps
from firmware_bridge import target
from firmware_bridge.board import board, doctor, fleet, running, ssh, status
from firmware_bridge.coral import coral
from firmware_bridge.micro import export_c
from firmware_bridge.release import release, signature

OUTPUT = Path("build/deploy")
_ENDS = (signal.SIGTERM, signal.SIGHUP)
_AGAIN = "give the same command again"
_LOOK = "edge-deploy status HOST says which release is active"
_HOST = "as ssh takes it: name, user@name, ssh://user@name:port"
_INTERRUPTED = {
    "rollback": f"{_LOOK}; the same command does not go back twice",
    "remove": "the same command goes on where it stopped",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 done, 2 invalid input, 130 interrupted, 141 closed output."""
    for number in _ENDS:
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has set another
            signal.signal(number, _interrupt)
    parsed: list[argparse.Namespace] = []

    def parse() -> None:
        parsed.append(_parser().parse_args(arguments))
        if sys.version_info < (3, 11):
            raise EdgeError(f"this is Python {sys.version.split()[0]}: expected 3.11 or later; run it on the host")
        for folder in (None, ssh.TEMPORARY):  # what killed ones left
            clear(folder)

    status = ended("edge-deploy", parse, _AGAIN)
    if status != OK:
        return status
    options = parsed[0]
    return ended("edge-deploy", lambda: options.action(options), getattr(options, "interrupted", _AGAIN))


def _interrupt(number: int, frame: object) -> None:
    """Let an end from outside tidy up as a Ctrl-C does, and no second one cut that short."""
    for each in _ENDS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="edge-deploy",
        description="Install runtime and models on a board, and roll back safely.",
        epilog="exit status: 0 done, 2 invalid input or configuration, 130 interrupted, 141 output closed early",
    )
    parser.add_argument("--version", action="version", version=f"edge-deploy {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = add_command(commands, "targets", "list the kinds of board that are known")
    listing.add_argument("--json", action="store_true", help="one JSON object a line for each")
    listing.set_defaults(action=_targets)

    making = add_command(commands, "build", "make a signed archive for a target")
    _add_building(making)
    making.set_defaults(action=_build)

    push = add_command(commands, "push", "upload a release, verify it on the board and activate it")
    _add_building(push)
    _add_hosts(push)
    push.add_argument("--archive", type=Path, metavar="FILE", help="of edge-deploy build (default: build it)")
    push.add_argument("--allow-downgrade", action="store_true", help="also where a newer release is installed")
    push.set_defaults(action=_push, interrupted=f"the same command goes on where it stopped; {_LOOK}")

    for name, action, text in (
        ("trust", _trust, "let a board accept releases signed with a key"),
        ("status", _status, "show active release, retained releases, trusted keys"),
        ("rollback", _ask, "activate the previous release again"),
        ("run", running.run, "run images on a board; its JSON on standard output"),
        ("remove", _ask, "remove everything that edge-deploy installed on a board"),
        ("doctor", _doctor, "check what a board has and lacks, and say what to do"),
    ):
        command = add_command(commands, name, text)
        if name == "run":
            command.add_argument("host", metavar="HOST", help=f"{_HOST}; several with commas between")
            running.add_arguments(command)
        else:
            _add_hosts(command)
        command.set_defaults(action=action, name=name, interrupted=_INTERRUPTED.get(name, _AGAIN))
        if name == "trust":
            _add_key(command)
            command.add_argument(
                "--remove",
                metavar="KEY",
                help="revoke a key: a public key's file, or its fingerprint in status",
            )
        _add_folder(command)
    _add_folder(push)

    for name, module, text in (
        ("coral", coral, "check a model for the Coral Edge TPU, and compile it"),
        ("export-c", export_c, "write a model as C for a microcontroller"),
    ):
        command = add_command(commands, name, text)
        module.add_arguments(command)
        command.set_defaults(action=module.run)
    return parser


def _add_hosts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hosts", nargs="+", metavar="HOST", help=f"{_HOST}; several at once")
    parser.add_argument("--json", action="store_true", help="one JSON object a line for each host on stdout")


def _add_building(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help="a name of edge-deploy targets, or a .toml file")
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME|FILE", help="may be given again (default: all that ship)"
    )
    parser.add_argument("--default", metavar="NAME", help="the board's default model")
    parser.add_argument(
        "--release",
        type=_number,
        metavar="N",
        help=f"number of this build of version {__version__} (default: 1); boards accept no lower one",
    )
    _add_key(parser)
    parser.add_argument("--output", type=Path, metavar="DIR", help=f"where archives go (default: {OUTPUT})")


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 999999, not {text!r}")
    return int(text)


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="OpenSSH key, or its .pub where the agent has it (default: ~/.ssh/id_ed25519)",
    )


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder",
        type=_folder,
        default=board.FOLDER,
        metavar="DIR",
        help="on the board (default: %(default)s in the user's home)",
    )


def _folder(text: str) -> str:
    if not text or not text.isprintable():
        raise argparse.ArgumentTypeError(f"expected the name of a folder, not {text!r}")
    return text


def _targets(options: argparse.Namespace) -> None:
    known = [target.load(name) for name in target.names()]
    if options.json:
        sys.stdout.write("".join(dumps(dataclasses.asdict(one), one.name) + "\n" for one in known))
    else:
        sys.stdout.write(target.table(known))


def _build(options: argparse.Namespace) -> None:
    target.check_buildable(target.load(options.target))
    signature.sign(b"", _key(options))  # before a program is compiled
    _make(options)


def _make(options: argparse.Namespace) -> Path:
    from firmware_bridge.release import build  # numpy comes with it

    chosen = target.load(options.target)
    aside = sys.stderr if getattr(options, "json", False) else sys.stdout
    print(f"building {chosen.program} edge-infer for {chosen.title}", file=aside, flush=True)
    content = build.content(chosen, options.model, options.default)
    path = build.write(content, _release(options), _key(options), options.output or OUTPUT)
    made = release.read(path)
    python = "no Python" if chosen.program == "native" else f"Python {made.release.python}"
    needs = f"glibc {made.release.glibc}, GLIBCXX {made.release.glibcxx}, {python}"
    print(f"{path}: {made.size / 1e6:.2f} MB, needs {needs}", file=aside, flush=True)
    if chosen.accelerator != "none":
        print(_coral_line(content.compiled), file=aside, flush=True)
    return path


def _coral_line(compiled: Sequence[str]) -> str:
    if not compiled:
        return "Coral: all on the processor; no model here is compiled for the Edge TPU (edge-deploy coral --compile)"
    return f"Coral: edge-infer --runtime edgetpu has it compute {', '.join(compiled)}; how: docs/coral.md"


def _key(options: argparse.Namespace) -> Path:
    return options.key or signature.default_key()


def _release(options: argparse.Namespace) -> int:
    return 1 if options.release is None else int(options.release)


def _push(options: argparse.Namespace) -> None:
    chosen = target.load(options.target)
    boards = _boards(options)
    models: Sequence[str] = ()
    if options.archive is None:
        target.check_buildable(chosen)
        _ask_before(options, boards, chosen)
        archive = release.read(_make(options))
    else:
        building = ("model", "default", "release", "key", "output")
        given = [name for name in building if getattr(options, name) not in (None, [])]
        if given:
            words = " and ".join(f"--{name}" for name in given)
            raise EdgeError(
                f"{words} and --archive were given: expected what to build or what was built; leave out one"
            )
        archive = release.read(options.archive)
        models = archive.models
    if archive.release.target != chosen.name:
        raise EdgeError(
            f"{archive.path} is for the target {archive.release.target}: expected {chosen.name}; give the one that was "
            "built for it"
        )

    def push(here: fleet.Board) -> None:
        progress = Progress(elsewhere=False, shown=len(options.hosts) == 1)

        def log(text: str) -> None:
            progress.log(text, here.log)

        with here.connect() as connection:
            board.push(connection, here.folder, archive, options.allow_downgrade, log, progress, models)

    boards.each(push)


def _boards(options: argparse.Namespace) -> fleet.Fleet:
    return fleet.Fleet(fleet.hosts(options.hosts), options.folder, fleet.JSON if options.json else fleet.LINES)


def _ask_before(options: argparse.Namespace, boards: fleet.Fleet, chosen: target.Target) -> None:
    """Have refused before minutes of work what can be: by this machine, then by the boards."""
    from firmware_bridge.release import build  # numpy comes with it

    models = build.names(options.model, options.default)
    signer = signature.signer(signature.sign(b"", _key(options)))
    python = chosen.python if chosen.program == "python" else "none"
    # Which C library it needs is known when it is built.
    planned = release.Release(
        f"{__version__}-{_release(options)}", chosen.name, chosen.architecture, chosen.program, "0", "0", python
    )
    words = [planned.text().rstrip("\n"), "yes" if options.allow_downgrade else "no", signer, "\n".join(models)]
    boards.each(lambda here: _act(here, "ready", *words), more=True)


def _trust(options: argparse.Namespace) -> None:
    if options.remove is None:
        action, words = "trust", list(signature.public_key(_key(options)))
    elif options.key is None:
        action, words = "distrust", [signature.fingerprint(options.remove)]
    else:
        raise EdgeError("--key and --remove were given: expected a key to trust or one to trust no more; leave out one")
    _boards(options).each(lambda here: _act(here, action, *words))


def _ask(options: argparse.Namespace) -> None:
    _boards(options).each(lambda here: _act(here, options.name))


def _act(here: fleet.Board, action: str, *words: str) -> None:
    with here.connect() as connection:
        board.ask(connection, action, here.folder, *words, log=here.log)


def _status(options: argparse.Namespace) -> None:
    def look(here: fleet.Board) -> None:
        with here.connect() as connection:
            found = status.ask(connection, here.folder)
        here.fields |= found.record()
        if not options.json:
            for line in found.lines():
                here.log(line)

    _boards(options).each(look)


def _doctor(options: argparse.Namespace) -> None:
    def examine(here: fleet.Board) -> None:
        with here.connect() as connection:
            found = doctor.examine(connection, here.folder)
        here.fields["findings"] = [finding.record() for finding in found]
        if not options.json:
            for finding in found:
                here.log(finding.line())
        failed = sum(finding.ok is False for finding in found)
        if failed:
            raise EdgeError(
                f"{failed} check{'' if failed == 1 else 's'} failed on {here.host}: expected none; see the lines "
                "marked FAIL",
                "board.doctor",
            )

    _boards(options).each(examine)
