"""One fresh start of a cell: a cold run, which is what a user waits for once, and a timed run of many invokes.

Both are processes of the same program, with the same model file and the same settings, and answer the same image; the
accuracy run is another such process (MLPerf Tiny: what is fast is what is accurate). Times are the device's own, by its
monotonic clock; what can't be, a process that ends before its phases do or lasts longer than it may, is a fault.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edge.model
from benchmarks.devices.device import Ran, Session
from benchmarks.measurement import Cell, Identity, Measurement, State
from benchmarks.measuring import answers, labelled, models
from benchmarks.measuring.answers import Answer, Refusal
from edge.errors import EdgeError, brief
from edge.record import now

LEAST_INVOKES = 5
_SHARE = 0.5  # of the time-out that the invokes of the timed run may be expected to take
_CLOCK_MS, _CLOCK_SHARE = 50.0, 0.05  # by how much two of a device's clocks may differ
_STDIN = "-"


@dataclass(frozen=True)
class Effort:
    """How much is done for a measurement.

    Attributes:
        invokes: that are counted, at most; a network for which they take longer than `budget` gets fewer.
        warmup: invokes before that, uncounted.
        seconds: that each process may take.
        budget: seconds that the counted invokes may take, by what the first invoke took; but LEAST_INVOKES are counted.
    """

    invokes: int = 50
    warmup: int = 5
    seconds: float = 120.0
    budget: float = 2.0


def measure(session: Session, cell: Cell, path: Path, role: str, start: int, effort: Effort) -> Measurement:
    """Return one fresh start of `cell`, whose model file lies at `path` here.

    Raises EdgeError where the device fails ("board. ..."), edge-infer refuses (its own codes), or what it says can't be
    ("measure.answer", "measure.clock", "measure.model", "measure.settings", "measure.unsteady").
    """
    model = models.read(path)
    word = session.model(Path(edge.model.find(path)))
    identity = session.identity(cell.runtime)
    begun = time.monotonic()
    cold_run, cold = ask(session, cell, model, word, [], effort.seconds)
    between = time.monotonic() - begun
    count = _invokes(cold, effort, between / max(cold_run.wall_ms / 1000, 0.001))
    words = ["--repeat", str(count), "--warmup", str(min(effort.warmup, max(1, count // 5)))]
    timed_run, timed = ask(session, cell, model, word, words, effort.seconds)
    if not timed.count:
        raise _fault(cell, f"counted no warm invoke, and {count} were asked for", "measure.answer")
    if cold.digest != timed.digest:
        raise _fault(cell, "gave two answers to one image, in two fresh starts", "measure.unsteady")
    phases = {name: cold.latency_ms[name] for name in ("read", "decode", "preprocess", "postprocess")}
    phases["invoke"] = timed.warm_ms["p50"]
    archive = session.archive_bytes()
    return Measurement(
        cell=cell,
        role=role,
        start=start,
        time=now(),
        latency_ms={
            **{name: timed.warm_ms[name] for name in ("p50", "p90", "p99")},
            "first_invoke": cold.latency_ms["first_invoke"],
            "load": cold.latency_ms["load"],
            "cold_start": cold_run.wall_ms,
            **phases,
            "total": sum(phases.values()),
        },
        invokes=timed.count,
        memory_mb=cold.memory_mb,
        sizes={"file": cold.size} | ({} if archive is None else {"archive": archive}),
        targets=_with_source(timed.targets, model),
        states=_joined(cold_run.states, timed_run.states, between),
        identity=_identified(identity, timed),
        answer=timed.digest,
    )


def accuracy(
    session: Session, cell: Cell, path: Path, images: str | None, seconds: float, answer: str | None = None
) -> dict[str, Any]:
    """Return the field `accuracy` of a measurement, of the labelled folder `images` on the device or of golden vectors.

    {} where there is neither: no folder, and no vector in the model file; or a task whose folders nobody knows.

    Args:
        images: on the device; a folder for each label, for a segmentation `images/` and `masks/`.
        seconds: that all of it may take.
        answer: of the timed run (`Measurement.answer`).

    Raises EdgeError as `measure` does; "measure.unsteady" where the measuring image has another answer than `answer`;
    "measure.labels" and "measure.masks" for a folder that is not labelled so.
    """
    model = models.read(path)
    word = session.model(Path(edge.model.find(path)))
    deadline = time.monotonic() + seconds
    said: Answer | None = None
    if images is not None and model.task in labelled.TASKS:
        found, said = _of_folder(session, cell, model, word, images, deadline)
    elif model.golden:
        found = _of_golden(session, cell, model, word, seconds)
        if answer is not None:
            said = ask(session, cell, model, word, [], deadline - time.monotonic())[1]
    else:
        return {}
    if said is not None and answer is not None and said.digest != answer:
        raise _fault(
            cell, "gave the measuring image one answer in the timed run and another beside the labelled ones",
            "measure.unsteady",
        )  # fmt: skip
    return found


def ask(
    session: Session, cell: Cell, model: models.Model, word: str, more: Sequence[str], seconds: float,
    image: bytes | None = None, power: bool = False,
) -> tuple[Ran, Answer]:  # fmt: skip
    """Return one process's run and its answer to `image`, by default the measuring image.

    Args:
        word: of `Session.model`. more: further words for edge-infer. power: sample what the device draws.
    """
    words = [*_words(cell, word), *more, _STDIN]
    ran = session.infer(cell.runtime, words, model.image if image is None else image, max(seconds, 0.1), power)
    found = answers.read(ran.output, cell.device)
    if ran.status or len(found) != 1 or isinstance(found[0], Refusal):
        raise failed(cell, ran, found)
    _check(cell, model, found[0])
    _check_wall(cell, ran, found[0], seconds)
    return ran, found[0]


def failed(cell: Cell, ran: Ran, found: Sequence[object]) -> EdgeError:
    """Return why a process gave no answer: what it says itself, else how it ended."""
    for item in found:
        if isinstance(item, Refusal):
            return item.error
    said = [line for line in ran.complaints if line.startswith("edge-infer: ")] or ran.complaints
    reason = f" ({brief(said[-1])})" if said else ""
    return _fault(cell, f"ended edge-infer with status {ran.status} and {len(found)} answers{reason}", "measure.failed")


def _words(cell: Cell, word: str) -> list[str]:
    return ["--json", "--model", word, "--threads", str(cell.threads)]


def _fault(cell: Cell, what: str, code: str) -> EdgeError:
    return EdgeError(f"{cell.device} {what} ({cell.model}, {cell.runtime}): see what runs on the device", code)


def _check(cell: Cell, model: models.Model, answer: Answer) -> None:
    """Raise EdgeError where another model, program or number of threads was measured than was asked for."""
    if (answer.model, answer.sha256, answer.size) != (model.name, model.sha256, model.size) or model.name != cell.model:
        raise _fault(
            cell,
            f"ran {answer.model} {answer.sha256[:12]} of {answer.size} bytes, where {model.name} {model.sha256[:12]} "
            f"of {model.size} was asked for",
            "measure.model",
        )
    kind = "native" if answer.implementation == "native" else answer.runtime
    if (kind, answer.threads) != (cell.runtime, cell.threads):
        raise _fault(
            cell,
            f"ran on {kind} with {answer.threads} threads, where {cell.runtime} with {cell.threads} was asked for",
            "measure.settings",
        )


def _check_wall(cell: Cell, ran: Ran, answer: Answer, seconds: float) -> None:
    """Raise EdgeError where the process can't have lasted so long: its clock was set meanwhile.

    It lasts at least as long as its phases and warm invokes, and no longer than it may.
    """
    invokes = max(answer.count - 1, 0) * answer.warm_ms.get("least", 0.0)
    phases = answer.latency_ms["load"] + answer.latency_ms["total"] + invokes
    least, most = phases * (1 - _CLOCK_SHARE) - _CLOCK_MS, 1000 * seconds * (1 + _CLOCK_SHARE) + 10_000
    if not (ran.wall_ms > 0 and least <= ran.wall_ms <= most):
        raise _fault(
            cell,
            f"says that edge-infer lasted {ran.wall_ms:.0f} ms, its phases {phases:.0f} ms, and it may last "
            f"{1000 * seconds:.0f} ms: its clock was set meanwhile",
            "measure.clock",
        )


def _invokes(cold: Answer, effort: Effort, stretch: float) -> int:
    """Return how many invokes are timed; `stretch` is the host's time over the device's: above 1 on an emulator."""
    each = cold.latency_ms["first_invoke"] / 1000 * max(stretch, 1.0)
    fitting = int(min(effort.budget, _SHARE * effort.seconds) / each) if each else effort.invokes
    return min(effort.invokes, max(LEAST_INVOKES, fitting))


def _joined(cold: Sequence[State], timed: Sequence[State], seconds: float) -> list[State]:
    """Return the states of two processes as those of one measurement; the second began `seconds` after the first."""
    later = [dataclasses.replace(state, seconds=state.seconds + seconds) for state in timed]
    return [state for state in cold if state.when != "after"] + [state for state in later if state.when != "before"]


def _identified(identity: Identity, answer: Answer) -> Identity:
    return dataclasses.replace(
        identity,
        program=answer.program,
        release=answer.release,
        runtime_version=answer.version,
        model_sha256=answer.sha256,
    )


def _with_source(targets: list[dict[str, Any]], model: models.Model) -> list[dict[str, Any]]:
    """Return the targets, each with what the manifest says beyond: whether less is better, and who set it."""
    return [{**row, **model.targets.get(row["name"], {})} for row in targets]


def _of_golden(session: Session, cell: Cell, model: models.Model, word: str, seconds: float) -> dict[str, Any]:
    ran = session.infer(cell.runtime, [*_words(cell, word), "--check"], None, seconds)
    verdicts = []
    for item in answers.objects(ran.output, cell.device):
        if "error" in item.raw:
            raise failed(cell, ran, answers.read(ran.output, cell.device))
        difference = item.raw.get("max_difference")
        verdicts.append(
            {
                "image": item.line("image"),
                "verdict": item.line("verdict"),
                "max_difference": None if difference is None else item.number("max_difference", 0.0, 1e300),
                "reason": brief(item.text("reason"), 400),
            }
        )
    if len(verdicts) != len(model.golden) or ran.status not in (0, 1):
        raise failed(cell, ran, verdicts)
    passed = sum(row["verdict"] in ("bit-exact", "within tolerance") for row in verdicts)
    if (passed == len(verdicts)) != (ran.status == 0):
        raise _fault(cell, f"passed {passed} of {len(verdicts)} vectors with status {ran.status}", "measure.answer")
    return {"kind": "golden", "passed": passed, "count": len(verdicts), "verdicts": verdicts}


def _of_folder(
    session: Session, cell: Cell, model: models.Model, word: str, folder: str, deadline: float
) -> tuple[dict[str, Any], Answer]:
    """Return what comes of a labelled folder, and the answer to the measuring image, in the same process."""
    inside = labelled.inside(model.task, folder)
    words = [*_words(cell, word), "--", inside, _STDIN]
    ran = session.infer(cell.runtime, words, model.image, deadline - time.monotonic())
    found = answers.read(ran.output, cell.device)
    said = found.pop() if found else None
    # An error of no image, or of the folder itself, is one of the whole run.
    whole = [item for item in found if isinstance(item, Refusal) and item.image in (None, inside)]
    if not isinstance(said, Answer) or said.image != _STDIN or ran.status not in (0, 2) or whole or not found:
        raise failed(cell, ran, whole or found)
    for item in (*found, said):
        if isinstance(item, Answer):
            _check(cell, model, item)

    def fetch(path: str) -> bytes | None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise EdgeError(
                f"{cell.device} took too long to hand over the masks of {brief(folder)}: give more time, or a smaller "
                "folder",
                "measure.masks",
            )
        return session.fetch(path, left)

    metrics, unanswered = labelled.judge(model.task, cell.device, folder, found, model.labels, fetch)
    return {
        "kind": "folder",
        "count": len(found),
        "unanswered": unanswered,
        "folder": folder,
        "metrics": metrics,
    }, said
