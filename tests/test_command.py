"""How the host's commands end, and what killed ones leave."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge import command, scratch
from edge.errors import EdgeError
from firmware_bridge import cli
from tests.edge.processes import Ended, environment

# Sends its own process a signal at the N-th import that the command makes.
INTERRUPTED = """
import os, signal, sys
class Finder:
    left = int(sys.argv[2])
    def find_spec(self, name, path=None, target=None):
        Finder.left -= 1
        if Finder.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
main = __import__(sys.argv[1] + ".__main__", fromlist=["main"]).main
sys.meta_path.insert(0, Finder())
sys.argv[1:] = ["--version"]
raise SystemExit(main())
"""


@pytest.mark.parametrize(("package", "program"), [("firmware_bridge", "edge-deploy"), ("compress", "edge-compress")])
@pytest.mark.parametrize("number", [1, 2, 5, 12, 20, 25])
def test_a_ctrl_c_while_modules_are_imported(package, program, number):
    script = [sys.executable, "-c", INTERRUPTED, package, str(number)]
    done = Ended(subprocess.run(script, capture_output=True, env=environment(), timeout=60))
    assert (done.status, done.out) == (130, ""), done.err
    assert done.err.startswith(f"\n{program}: interrupted; ") and done.err.count("\n") == 2


def test_a_ctrl_c_that_is_ignored_stays_so():
    """As where nohup or a shell's background has it ignored."""
    script = INTERRUPTED.replace("signal.default_int_handler", "signal.SIG_IGN")
    command = [sys.executable, "-c", script, "firmware_bridge", "5"]
    done = Ended(subprocess.run(command, capture_output=True, env=environment(), timeout=60))
    assert done.status == 0 and done.out.startswith("edge-deploy ")


@pytest.mark.parametrize(
    ("raised", "said", "status"),
    [
        (EdgeError("no: give\nyes"), "p: no: give\\nyes\n", 2),
        (MemoryError(), "p: the memory is full: expected room to work; ", 2),
        (OSError(errno.EMFILE, "Too many open files"), "(Too many open files): close other programs, or raise the", 2),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "(Cannot allocate memory): stop other programs", 2),
        (
            OSError(errno.EACCES, "Permission denied", "x"),
            "p: x can't be written or read (Permission denied)",
            2,
        ),
        (ModuleNotFoundError("no", name="torch"), "p: Python module 'torch' is not installed", 2),
        (ImportError("libx.so: failed to map segment"), "can't be imported (libx.so: failed to map segment): exp", 2),
        (SystemError("initialization of _x failed"), "can't be imported (initialization of _x failed)", 2),
        (ImportError("KeyboardInterrupt: numpy says so"), "\np: interrupted; again\n", 130),
        (KeyboardInterrupt(), "\np: interrupted; again\n", 130),
    ],
)
def test_whatever_ends_it_is_a_sentence(capsys, raised, said, status):
    def act():
        raise raised

    assert command.ended("p", act, "again") == status
    assert said in capsys.readouterr().err


def test_a_fault_of_the_program_stays_one():
    with pytest.raises(ZeroDivisionError):
        command.ended("p", lambda: print(1 // 0), "again")


def test_a_native_module_may_make_another_exception_of_a_ctrl_c(capsys):
    def act():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise RuntimeError("import failed") from None  # the context stays

    assert command.ended("p", act, "again") == 130


def left_by_a_killed_one(folder: Path) -> Path:
    script = f"import sys\nfrom edge.scratch import scratch\nwith scratch('test', {str(folder)!r}) as path:\n"
    script += "    (path / 'big').write_text('x')\n    print(path, flush=True)\n    sys.stdin.read()\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True
    )
    assert process.stdout is not None
    path = Path(process.stdout.readline().strip())
    with scratch.scratch("test", folder):
        assert (path / "big").exists()  # of a process that is alive
    process.kill()
    process.communicate()
    assert (path / "big").exists()
    return path


def test_the_next_one_clears_away_what_a_killed_one_left_and_nothing_else(tmp_path):
    left = left_by_a_killed_one(tmp_path)
    (tmp_path / "edge-infer-test-notes123").mkdir()  # somebody's, by chance of such a name
    (tmp_path / "edge-infer-test-notes123/letter").touch()
    for name in ("edge-infer-test-empty123", "edge-test-empty123", "edge-infer-test", "edge-infer-test-notes456"):
        (tmp_path / name).mkdir()
    (tmp_path / "edge-infer-test-notes456/letter").touch()
    for path in tmp_path.iterdir():
        os.utime(path, (time.time() - 61, time.time() - 61))
    (tmp_path / "edge-infer-test-fresh123").mkdir()  # another process may be about to lock it
    (tmp_path / "edge-infer-test-link1234").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/.edge-lock").touch()
    (tmp_path / "edge-infer-test-lock1234").mkdir()
    (tmp_path / "edge-infer-test-lock1234/.edge-lock").symlink_to(tmp_path / "elsewhere/.edge-lock")
    (tmp_path / "edge-other").mkdir()
    if os.geteuid() == 0:
        (tmp_path / "edge-infer-test-another1").mkdir()
        (tmp_path / "edge-infer-test-another1/.edge-lock").touch()
        os.chown(tmp_path / "edge-infer-test-another1", 65534, 65534)
    kept = {path.name for path in tmp_path.iterdir()} - {left.name, "edge-infer-test-empty123"}
    with scratch.scratch("test", tmp_path) as mine:
        assert mine.parent == tmp_path and mine.is_dir()
    assert {path.name for path in tmp_path.iterdir()} == kept
    assert (tmp_path / "elsewhere/.edge-lock").exists() and (tmp_path / "edge-infer-test-notes123/letter").exists()


def test_what_is_written_while_it_is_cleared_goes_the_next_time(tmp_path, monkeypatch):
    """A compiler outlives its killed parent, and the lock stays with what it writes."""
    left = left_by_a_killed_one(tmp_path)
    (left / "objects").mkdir()
    (left / "link").symlink_to(tmp_path)
    usual = scratch.shutil.rmtree

    def rmtree(path, **words):
        usual(path, **words)
        if path.name == "objects":
            (left / "late.o").touch()

    monkeypatch.setattr(scratch.shutil, "rmtree", rmtree)
    scratch.clear(tmp_path)
    assert sorted(path.name for path in left.iterdir()) == [".edge-lock", "late.o"]
    scratch.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_edge_deploy_clears_away_whatever_its_command_is(tmp_path, monkeypatch, capsys):
    left = left_by_a_killed_one(tmp_path)
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path))
    assert cli.main(["targets"]) == 0 and not left.exists()
    (tmp_path / "file").touch()
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path / "file"))
    assert cli.main(["targets"]) == 0


def test_a_folder_that_another_took_away_is_made_again(tmp_path, monkeypatch):
    """Between its making and its locking, a folder looks like one that a killed process left."""
    made = []
    usual = scratch.tempfile.mkdtemp

    def mkdtemp(**words):
        made.append(usual(**words))
        if len(made) == 1:
            os.rmdir(made[0])
        return made[-1]

    monkeypatch.setattr(scratch.tempfile, "mkdtemp", mkdtemp)
    with scratch.scratch("test", tmp_path) as mine:
        assert str(mine) == made[1] and mine.is_dir()
    assert list(tmp_path.iterdir()) == []
