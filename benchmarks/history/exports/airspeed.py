"""asv's results folder (airspeed velocity 0.6, https://asv.readthedocs.io), ready for `asv publish` and `asv preview`.

asv's points in time are commits of a repository. Here they are nights: the folder has a small bare repository
`nights.git` with an empty commit for each, so that graphs run over nights whatever the project's own commits are.

    asv.conf.json
    nights.git/
    results/benchmarks.json
    results/DEVICE/machine.json
    results/DEVICE/COMMIT-edge-bench.json
"""

from __future__ import annotations

import datetime
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from benchmarks.history.exports.nightly import Nightly, latency, nightly, peak_mb
from benchmarks.history.store import Store
from edge.errors import EdgeError
from edge.strict_json import dumps

ENVIRONMENT = "edge-bench"
_BRANCH = "nights"
_PARAMETERS = ("model", "runtime", "threads")
# asv's own units: seconds and bytes.
_BENCHMARKS = {
    "invoke.time_p50": ("time", "seconds", latency("p50"), 1e-3),
    "invoke.time_first": ("time", "seconds", latency("first_invoke"), 1e-3),
    "process.time_cold_start": ("time", "seconds", latency("cold_start"), 1e-3),
    "process.peakmem": ("peakmemory", "bytes", peak_mb, 1e6),
}
_COLUMNS = ("result", "params", "version", "started_at", "duration", "samples")
_VERSION = "1"  # of what a benchmark means; asv drops results of another


def files(store: Store, nights: Sequence[str], output: Path) -> dict[Path, bytes]:
    """Return the files of the folder."""
    if output.exists() and not output.is_dir():
        raise EdgeError(f"{output} is a file: expected a folder for asv's files, or none", "output.unwritable")
    commits, repository = _repository(store.all_nights())
    made = {f"nights.git/{name}": data for name, data in repository.items()}
    made["asv.conf.json"] = _json(
        {
            "version": 1,
            "project": "edge-infer",
            "repo": "nights.git",
            "branches": [_BRANCH],
            "results_dir": "results",
            "html_dir": "html",
        }
    )
    measured = {night: [each for each in nightly(store, night) if each.starts] for night in nights}
    values = [sorted({value for each in measured.values() for value in _values(each, n)}) for n in range(3)]
    made["results/benchmarks.json"] = _json(_benchmarks(values))
    for night, found in measured.items():
        for device in sorted({each.cell.device for each in found}):
            here = [each for each in found if each.cell.device == device]
            folder, machine = PurePosixPath("results") / _safe(device), _machine(here)
            made[str(folder / "machine.json")] = _json(machine | {"version": 1})
            name = f"{commits[night][:8]}-{ENVIRONMENT}.json"
            made[str(folder / name)] = _json(_results(commits[night], night, machine, here))
    return {output / name: data for name, data in made.items()}


def _json(value: object) -> bytes:
    return (dumps(value, "the export", "export.invalid", separators=(",", ":")) + "\n").encode()


def _values(found: Sequence[Nightly], place: int) -> list[str]:
    return [_parameters(each)[place] for each in found]


def _parameters(each: Nightly) -> tuple[str, str, str]:
    """Return a cell's parameters as asv writes them: Python's own forms."""
    return repr(each.cell.model), repr(each.cell.runtime), repr(each.cell.threads)


def _benchmarks(values: Sequence[Sequence[str]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: {
            "code": f"{name} as edge-bench measures it: the median of a night's fresh starts",
            "name": name,
            "param_names": list(_PARAMETERS),
            "params": [list(each) for each in values],
            "pretty_name": name,
            "timeout": 60.0,
            "type": kind,
            "unit": unit,
            "version": _VERSION,
        }
        for name, (kind, unit, _, _) in _BENCHMARKS.items()
    }
    return found | {"version": 2}


def _machine(here: Sequence[Nightly]) -> dict[str, str]:
    """Return asv's six words on a machine, of the first that says them."""
    identity = next((each.identity for each in here if each.identity), None)
    board = identity.board if identity else {}
    emulated = " (emulated)" if identity and identity.emulated else ""
    return {
        "arch": str(board.get("architecture") or "unknown"),
        "cpu": f"{board.get('model') or 'unknown'}{emulated}",
        "machine": _safe(here[0].cell.device),
        "num_cpu": str(board.get("cores") or "unknown"),
        "os": "Linux",
        "ram": "unknown",
    }


def _results(commit: str, night: str, machine: Mapping[str, str], here: Sequence[Nightly]) -> dict[str, Any]:
    """Return one device's night: for each benchmark its numbers over all combinations of its parameters' values."""
    values = [sorted(set(_values(here, place))) for place in range(3)]
    cells = {_parameters(each): each for each in here}
    order = [
        cells.get((model, runtime, threads)) for model in values[0] for runtime in values[1] for threads in values[2]
    ]
    results = {}
    for name, (_, _, of, factor) in _BENCHMARKS.items():
        middles = [each.middle(of) if each else None for each in order]
        results[name] = [
            [None if middle is None else middle * factor for middle in middles],
            values,
            _VERSION,
            _milliseconds(night),
            None,
            [[number * factor for number in each.numbers(of)] or None if each else None for each in order],
        ]
    return {
        "commit_hash": commit,
        "date": _milliseconds(night),
        "durations": {},
        "env_name": ENVIRONMENT,
        "env_vars": {},
        "params": dict(machine),
        "python": "",
        "requirements": {},
        "result_columns": list(_COLUMNS),
        "results": results,
        "version": 2,
    }


def _milliseconds(night: str) -> int:
    return int(datetime.datetime.fromisoformat(night.replace("Z", "+00:00")).timestamp()) * 1000


def _repository(nights: Sequence[str]) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return each night's commit, and the files of a bare repository with one branch of them.

    The commits are of nothing but the nights' names, so that a later export adds to the same.
    """
    made = {
        "HEAD": f"ref: refs/heads/{_BRANCH}\n".encode(),
        "config": b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
    }
    commits: dict[str, str] = {}
    tree = _object(made, b"tree", b"")
    parent = ""
    for night in nights:
        who = f"edge-bench <edge-bench@localhost> {_milliseconds(night) // 1000} +0000"
        text = f"tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{night}\n"
        commits[night] = _object(made, b"commit", text.encode())
        parent = f"parent {commits[night]}\n"
    if nights:
        made[f"refs/heads/{_BRANCH}"] = f"{commits[nights[-1]]}\n".encode()
    return commits, made


def _object(made: dict[str, bytes], kind: bytes, content: bytes) -> str:
    """Add a git object; return its name."""
    data = b"%s %d\0%s" % (kind, len(content), content)
    name = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    made[f"objects/{name[:2]}/{name[2:]}"] = zlib.compress(data)
    return name


def _safe(name: str) -> str:
    """Return a device's name as a folder's."""
    return quote(name, safe=" ").replace(".", "%2E") if name.startswith(".") else quote(name, safe=" ")
