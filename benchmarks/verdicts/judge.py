"""The verdict on a cell's night: its nights so far in, one word and its evidence out."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measurement import CONFIRMATION, MODEL, Cell, Identity, Measurement, Sample, Verdict, Word
from benchmarks.verdicts import detector
from benchmarks.verdicts.detector import BASELINE, CONFIRMATIONS, Detector, Night

__all__ = ["CONFIRMATIONS", "Past"]
_REPLAYED = detector.MEMORY + detector.WINDOW + BASELINE  # nights that are looked at to judge one
REPEATS = 0.05  # by which p50 may differ from the last night's while no baseline knows the device's noise
_ALL = np.array([True])
_DEVICE = ("board.", "matrix.driver")  # codes of faults that are a device's and no cell's
_CHANGES = {
    "kernel": "kernel",
    "program": "program",
    "release": "release",
    "runtime_version": "runtime",
    "model_sha256": "model file",
}
_NOISY = {
    detector.CANARY_MOVED: "the canary is {canary:+.1%} against its last nights: it is the machine",
    detector.CANARY_UNSTEADY: "the canary before and after differ: the machine changed in the meantime",
    detector.STARTS_DIFFER: "its fresh starts differ by more than this device's noise",
}


class Past:
    """A cell's nights before tonight, which the detector looks at once, whatever is asked of tonight then.

    Nights that are missing are none: what was not measured says nothing.
    """

    def __init__(self, cell: Cell, nights: Sequence[Sample]) -> None:
        """`nights`: those before tonight, the oldest first."""
        self._cell, self._nights = cell, nights
        self._detector = Detector(1)
        self._known: Identity | None = None
        self._count = 0  # nights of the present device
        for sample in nights[-_REPLAYED:]:
            if self._is_other(sample.identity):
                self._detector.restart(_ALL)
                self._count = 0
            self._known = sample.identity or self._known
            self._count += bool(sample.p50_ms)
            _seen(self._detector, sample)

    def suspects(self, tonight: Sample) -> bool:
        """Return whether tonight is to be measured again at once, from fresh starts."""
        return bool(tonight.p50_ms) and bool(self._judged(tonight)[0].suspected[0])

    def judge(self, tonight: Sample, measured: Sequence[Measurement]) -> Verdict:
        """Return the verdict on tonight.

        Args:
            measured: tonight's measurements of roles MODEL and CONFIRMATION, those with a fault too.

        DEVICE-DOWN and what fails go before all numbers; a step goes before a missed target. An alarm is raised for a
        step on its second night, for a failure, and for a target or a device on the first night of its being missed.
        """
        verdicts = [sample.verdict for sample in reversed(self._nights) if sample.verdict is not None]
        failed = _failed(self._cell, measured, next(iter(verdicts), None))
        if failed is not None:
            return failed
        night, nights, change = self._judged(tonight)
        evidence = _evidence(tonight, night, measured, change, nights)
        # A night without numbers knows nothing of targets and accuracy.
        earlier = next((verdict for verdict in verdicts if "p50_ms" in verdict.evidence), None)
        if nights and earlier is not None and earlier.evidence["p50_ms"] and evidence["p50_ms"] is not None:
            evidence["last_ratio"] = evidence["p50_ms"] / earlier.evidence["p50_ms"]
        return _verdict(self._cell, night, evidence, _missed(measured), earlier)

    def _judged(self, tonight: Sample) -> tuple[Night, int, str | None]:
        """Return tonight as judged, how many nights its device was seen before, and what is new in it."""
        watched = copy.deepcopy(self._detector)  # that remembers nothing of tonight when it is asked again
        nights, change = self._count, None
        if tonight.identity is not None:
            change = _change(self._known, tonight.identity)
        if self._is_other(tonight.identity):
            watched.restart(_ALL)
            nights, change = 0, "the device is another one: a new baseline begins"
        return _seen(watched, tonight), nights, change

    def _is_other(self, found: Identity | None) -> bool:
        """Return whether it is another machine: its own identifier, or where there is none its kind."""
        known = self._known
        if known is None or found is None:
            return False
        if known.machine is not None and found.machine is not None and known.machine != found.machine:
            return True
        return known.board != found.board or known.emulated != found.emulated


def _verdict(
    cell: Cell, night: Night, evidence: dict[str, Any], missed: list[dict[str, Any]], earlier: Verdict | None
) -> Verdict:
    """Return the verdict on a night with numbers; `earlier`: that on the last one, `missed`: targets."""
    word, reason = _word(night, evidence)
    worse = _less_accurate(evidence, earlier)
    if worse is not None and word is not Word.REGRESSED:
        word, reason = Word.REGRESSED, worse
        evidence["alarm"] = True
    elif missed:
        evidence["targets"] = missed
        if word in (Word.PASS, Word.IMPROVED, Word.NOISY):
            text = ", ".join(f"{row['name']} {row['measured']:g} (target {row['target']:g})" for row in missed)
            word, reason = (Word.MISSED, f"misses {text}") if word is Word.PASS else (word, f"{reason}; misses {text}")
        known = {row["name"] for row in earlier.evidence.get("targets", [])} if earlier else set()
        evidence["alarm"] = evidence["alarm"] or bool(earlier and {row["name"] for row in missed} - known)
    return Verdict(cell, word, reason, evidence)


def _failed(cell: Cell, tonight: Sequence[Measurement], earlier: Verdict | None) -> Verdict | None:
    """Return the verdict where the device was lost or there are no numbers; None elsewhere."""
    faults = [found.fault for found in tonight if found.fault]
    lost = next((fault for fault in faults if fault["code"].startswith(_DEVICE)), None)
    if lost is None and any(found.fault is None for found in tonight if found.role in (MODEL, CONFIRMATION)):
        return None
    fault = lost or next(iter(faults), None)
    code = fault["code"] if fault else "measure.none"
    message = fault["message"] if fault else "nothing was measured"
    word = Word.DEVICE_DOWN if fault is None or code.startswith(_DEVICE) else Word.REGRESSED
    again = earlier is not None and earlier.word is word and earlier.evidence.get("fault", {}).get("code") == code
    return Verdict(cell, word, message, {"fault": {"code": code, "message": message}, "alarm": not again, "starts": 0})


def _seen(watched: Detector, sample: Sample) -> Night:
    """Let the detector see a night; return it."""
    night = watched.night(_row(sample.p50_ms), _row(sample.canary_before), _row(sample.canary_after))
    said = -1
    if sample.verdict is not None:
        stepped = sample.verdict.word in (Word.REGRESSED, Word.IMPROVED) and sample.verdict.evidence.get("alarm")
        said = int(sample.verdict.evidence.get("nights", 0)) if stepped else 0
    return watched.settle(night, _row(sample.confirmation_ms), np.array([said]))


def _row(times: Sequence[float]) -> np.ndarray:
    return np.log(np.array([list(times) or [np.nan]], float))


def _change(known: Identity | None, found: Identity) -> str | None:
    """Return what is new in the same machine."""
    if known is None:
        return None
    names = [name for key, name in _CHANGES.items() if getattr(known, key) != getattr(found, key)]
    return f"new since the last night: {', '.join(names)}" if names else None


def _evidence(
    sample: Sample, night: Night, tonight: Sequence[Measurement], change: str | None, nights: int
) -> dict[str, Any]:
    """Return the numbers that the verdict rests on."""
    times = [*sample.p50_ms, *sample.confirmation_ms]
    ratio = float(np.exp(night.height[0])) if night.judged[0] else None
    deviation = abs(float(night.height[0] / night.z[0])) if night.judged[0] and night.z[0] else 0.0
    p50 = median(times) if times else None
    found: dict[str, Any] = {
        "p50_ms": p50,
        "starts": len(times),
        "baseline_nights": min(nights, BASELINE),
        "canary_ratio": float(np.exp(night.canary[0])),
        "suspected": bool(night.suspected[0]),
        "confirmed": bool(night.confirmed[0]),
        "alarm": bool(night.alarm[0]),
    }
    if ratio is not None and p50 is not None:
        found |= {
            "ratio": ratio,
            "interval": [ratio * float(np.exp(sign * 1.96 * deviation)) for sign in (-1, 1)],
            "threshold": float(np.exp(night.bound[0] * deviation)),
            "baseline_ms": p50 / ratio,
            "nights": int(night.nights[0]),
        }
    if change is not None:
        found["change"] = change
    accuracy = next((one.accuracy for one in tonight if one.accuracy), None)
    if accuracy:
        found["accuracy"] = {key: accuracy[key] for key in ("kind", "passed", "count", "metrics") if key in accuracy}
        found["model_sha256"] = sample.identity.model_sha256 if sample.identity else None
    faults = [one.fault for one in tonight if one.fault]
    if faults:
        found["faults"] = faults
    return found


def _word(night: Night, evidence: dict[str, Any]) -> tuple[Word, str]:
    """Return what the times say; sentences with the numbers."""
    change = f"; {evidence['change']}" if "change" in evidence else ""
    if night.noisy[0] != detector.CALM:
        return Word.NOISY, _NOISY[int(night.noisy[0])].format(canary=evidence["canary_ratio"] - 1) + change
    if evidence.get("faults"):
        return Word.NOISY, f"{len(evidence['faults'])} of its fresh starts failed: {evidence['faults'][0]['message']}"
    if not night.judged[0]:
        moved = evidence.get("last_ratio", 1.0) - 1
        if abs(moved) > REPEATS:
            known = (
                f"{evidence['baseline_nights']} of {BASELINE} nights of the baseline are there to tell what is noise"
            )
            return Word.NOISY, f"p50 {moved:+.1%} against the last night: {known}{change}"
        return Word.PASS, f"baseline: {evidence['baseline_nights']} of {BASELINE} nights before this one{change}"
    how = f"{evidence['ratio'] - 1:+.1%} [{evidence['interval'][0] - 1:+.1%}, {evidence['interval'][1] - 1:+.1%}]"
    span = f"over {evidence['nights']} night{'s' if evidence['nights'] > 1 else ''}, against the canary"
    if night.found[0]:
        word = Word.REGRESSED if night.height[0] > 0 else Word.IMPROVED
        return word, f"p50 {how} {span}; confirmed by {CONFIRMATIONS} fresh starts{change}"
    if night.suspected[0]:
        again = "the re-run says so too: watched" if night.confirmed[0] else "the re-run does not say so"
        return Word.PASS, f"p50 {how} {span} was suspected; {again}{change}"
    return Word.PASS, f"p50 {how} {span}: within {evidence['threshold'] - 1:.1%}{change}"


def _missed(tonight: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Return the targets that the night's last whole measurement misses."""
    whole = [found for found in tonight if found.fault is None and found.targets]
    return [row for row in whole[-1].targets if row["met"] is False] if whole else []


def _less_accurate(evidence: dict[str, Any], earlier: Verdict | None) -> str | None:
    """Return what became less right; None where nothing did.

    Golden vectors are right or wrong; figures of a labelled folder are compared with those of the night before, of the
    same model file, for which any difference is a change of the program, the runtime or the images.
    """
    found = evidence.get("accuracy", {})
    if found.get("kind") == "golden" and found["passed"] < found["count"]:
        return f"{found['count'] - found['passed']} of {found['count']} golden vectors failed"
    before = earlier.evidence.get("accuracy", {}) if earlier else {}
    if earlier is None or earlier.evidence.get("model_sha256") != evidence.get("model_sha256"):
        return None
    if found.get("kind") != "folder" or before.get("kind") != "folder" or before["count"] != found["count"]:
        return None
    for name, value in found.get("metrics", {}).items():
        last = before.get("metrics", {}).get(name)
        if isinstance(value, (int, float)) and isinstance(last, (int, float)) and value < last - 1e-9:
            return (
                f"{name} fell from {last:.4f} to {value:.4f} on the same {found['count']} images, with one model file"
            )
    return None
