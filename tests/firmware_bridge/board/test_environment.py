"""What a board exports changes neither what edge-deploy does there nor what a release is proven with."""

from __future__ import annotations

import json
from pathlib import Path

from firmware_bridge.release.release import File
from tests.firmware_bridge import releases
from tests.firmware_bridge.boards import LocalBoard
from tests.firmware_bridge.places import Place

EXPORTED = """
CDPATH QUOTING_STYLE ENV EDGE_INFER_LITERT EDGE_INFER_MODELS LD_LIBRARY_PATH LD_AUDIT PYTHONPATH PYTHONHOME
PYTHONSTARTUP TAR_OPTIONS GZIP POSIXLY_CORRECT LC_ALL LANG LANGUAGE GREP_OPTIONS GREP_COLORS TMPDIR BLOCKSIZE
BLOCK_SIZE DF_BLOCK_SIZE LS_BLOCK_SIZE TIME_STYLE AWKPATH SHELLOPTS OMP_NUM_THREADS MALLOC_PERTURB_ TZ
"""
# It says what its environment is, as an image's answer, and does not pass its golden vectors in a foreign one.
PROGRAM = """#!/bin/sh
case $(env) in *evil*) echo "evil: $(env | grep evil)"; exit 1 ;; esac
case "$*" in
  *--check*) echo "1 of 1 golden vectors passed" ;;
  *) cat >/dev/null; printf '{"environment": "%s"}' "$(env | cut -d= -f1 | sort | tr '\\n' ' ')" ;;
esac
"""
# What a login shell reads itself, and what no SetEnv can set.
PROFILE = """
export PATH={evil}:$PATH LD_PRELOAD={evil}/evil.so BASH_ENV={evil}/evil
for tool in tar sed grep ls readlink sort head tail basename sha256sum mkdir mv rm awk df env sh timeout; do
  eval "$tool() {{ echo evil; return 1; }}"
  eval "alias $tool='echo evil'"
  export -f "$tool"
done
shopt -s expand_aliases
set -o noclobber
umask 0777
cd /
export IFS=/evil
"""


def test_whatever_is_exported(tmp_path: Path) -> None:
    evil, folder = tmp_path / "evil", tmp_path / "board"
    for path in (evil, folder):
        path.mkdir()
    for tool in ("tar", "gzip", "sort", "python3", "ssh-keygen"):
        (evil / tool).write_text("#!/bin/sh\necho evil >&2\nexit 1\n")
        (evil / tool).chmod(0o755)
    (folder / "profile").write_text(PROFILE.format(evil=evil))
    forced = f'ForceCommand . {folder}/profile; eval "$SSH_ORIGINAL_COMMAND"'
    board = LocalBoard(folder, forced, dict.fromkeys(EXPORTED.split(), str(evil)))
    try:
        place = Place(board, tmp_path)
        files = {**releases.payload(), "bin/edge-infer": File(PROGRAM.encode(), executable=True)}
        archive = releases.make(tmp_path, board.signer, files=files)
        for words in (["trust", "board", "--key", board.signer], ["push", "x86-64", "board", "--archive", archive]):
            done = place(*words)
            assert done.status == 0 and "evil" not in done.out, (done.out, done.err)
        status = json.loads(place("status", "board", "--json").out)
        assert status["active"].startswith("0001-edge-infer-0.1.0-1-x86-64-") and status["models"] == ["one"]
        (tmp_path / "image.png").write_bytes(b"pixels")
        done = place("run", "board", tmp_path / "image.png")
        assert done.status == 0, done.err
        names = set(json.loads(done.out)["environment"].split())
        assert {"HOME", "PATH"} <= names <= {"HOME", "LC_ALL", "PATH", "PWD", "OLDPWD", "_", "SHLVL"}
        assert "ok    release     0001-" in place("doctor", "board").out
        assert place("remove", "board").status == 0 and not place.folder.exists()
    finally:
        board.stop()
