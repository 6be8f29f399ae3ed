"""Whether a level has changed: nights of fresh starts in, suspicion and alarms out.

All of it works on many series at once (the first axis), so that the simulation that calibrates it runs the very code
that judges a real night.

What is judged is y = log(time) - log(the canary's time), whose variance on a night is

    v = tau^2 + s^2 / n + c^2 / m                                                                              (1)

with n fresh starts of the cell and m of the canary. s and c are the noise of a start, pooled over all nights within the
nights; tau, what nights differ by beyond that, comes from neighbouring nights' differences (median and MAD, so that no
step is taken for noise). For the last k nights, k = 1 ... WINDOW, against the nights of the same level before them:

    z_k = (mean_k - mean_before) / sqrt(v_k + v_before),   means weighted by 1 / v                              (2)

a generalized likelihood ratio for a step k nights ago whose height and baseline are both unknown. The bound on |z_k|
is Student's, with the degrees of freedom of s and c: it is wide while little is known of a device, and shrinks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

BASELINE = 14  # nights before anything is judged
WINDOW = 14  # nights back, at most, that a step may lie
MEMORY = 90  # nights of a level that are remembered before the window
CONFIRMATIONS = 9  # fresh starts of the re-run that confirms a suspicion
CANARY_STARTS = 6  # of the canary, before the others and after them: it is small, and its noise is in every verdict
SUSPICION = 2.2  # |z| from which on the night is measured again
YOUNG, YOUNG_SUSPICION = 40, 1.0  # nights of a level whose baseline is still uncertain: measured again more readily
ALPHA = 1.5e-6  # two-sided share of nights beyond the alarm's bound
CONFIRMED = 2.0  # |z| of the re-run alone
PRIOR, PRIOR_STARTS = 0.03, 2.0  # noise of a start before any was seen, and how many starts that is worth
OUTLIER = 4.0  # noises from the night's median
CANARY_NIGHTS, CANARY_BOUND, CANARY_DRIFT = 7, 4.0, 0.01
SPREAD_SHARE = 1e-4  # of nights whose starts differ so much by chance
_LEAST_BEFORE = 3  # nights of a level that another can be compared with
_TO_SIGMA = 1.4826
_PAIRS = 2.5  # differences that are worth one degree of freedom: a MAD has 0.37 of a variance's, and they overlap
_SHRINK = 2.5  # of the error of a median absolute deviation, over sqrt(number)

CALM, CANARY_MOVED, CANARY_UNSTEADY, STARTS_DIFFER = range(4)  # why a night is noisy


@dataclass
class Night:
    """What a night gave, for each series.

    Attributes:
        judged: whether it can be compared with anything.
        noisy: CALM, or why it says nothing.
        suspected: whether it is to be measured again.
        level: y; variance: of it, equation (1) (both after the re-run, where there was one).
        height: the step that is likeliest, in logarithms.
        z: of it, signed; nights: how many ago it began, from 1.
        bound: of |z|.
        confirmed: whether the re-run alone says so too. found: beyond the bound and confirmed.
        alarm: and it is the second night at least.
        canary: the canary's move against its last nights, in logarithms.
    """

    judged: np.ndarray
    noisy: np.ndarray
    suspected: np.ndarray
    level: np.ndarray
    variance: np.ndarray
    height: np.ndarray
    z: np.ndarray
    nights: np.ndarray
    bound: np.ndarray
    confirmed: np.ndarray
    found: np.ndarray
    alarm: np.ndarray
    canary: np.ndarray


class Noise:
    """The noise of a fresh start: standard deviation of log(time) within a night, pooled."""

    def __init__(self, count: int) -> None:
        self.squares = np.full(count, PRIOR**2 * PRIOR_STARTS)
        self.degrees = np.full(count, PRIOR_STARTS)

    @property
    def variance(self) -> np.ndarray:
        return self.squares / self.degrees

    def add(self, combined: Combined, rows: np.ndarray) -> None:
        """Learn from a night; only in `rows`."""
        self.squares += np.where(rows, combined.squares, 0.0)
        self.degrees += np.where(rows, np.maximum(combined.count - 1, 0), 0.0)


@dataclass
class Combined:
    """Fresh starts made one: mean without outliers, how many it is of, squares around it, whether they fall apart."""

    mean: np.ndarray
    count: np.ndarray
    squares: np.ndarray
    apart: np.ndarray


def combine(starts: np.ndarray, variance: np.ndarray) -> Combined:
    """Return log times (series, starts), NaN for none, as one for each series.

    What lies OUTLIER noises from the median is left out, unless that would be half of them or more.
    """
    there = np.isfinite(starts)
    count = there.sum(1)
    middle = _median(starts)
    kept = there & (np.abs(starts - middle[:, None]) <= OUTLIER * np.sqrt(variance)[:, None])
    apart = (2 * kept.sum(1) <= count) & (count > 1)
    kept = np.where(apart[:, None], there, kept)
    number = kept.sum(1)
    values = np.where(kept, starts, 0.0)
    mean = values.sum(1) / np.maximum(number, 1)
    squares = np.where(kept, (starts - mean[:, None]) ** 2, 0.0).sum(1)
    return Combined(np.where(number > 0, mean, np.nan), number, squares, apart)


def _median(values: np.ndarray) -> np.ndarray:
    """Return the medians of rows, NaN left out; NaN for an empty row. numpy's nanmedian takes ten times as long."""
    ordered = np.sort(values, axis=1)  # NaN go to the end
    count = np.isfinite(values).sum(1)
    rows = np.arange(len(values))
    low, high = np.maximum(count - 1, 0) // 2, np.maximum(count, 1) // 2
    return np.where(count > 0, (ordered[rows, low] + ordered[rows, np.minimum(high, values.shape[1] - 1)]) / 2, np.nan)


class Detector:
    """The memory of some series; `night` after `night`, each ended by `settle`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.noise, self.canary_noise = Noise(count), Noise(count)
        size = MEMORY + WINDOW
        self.levels = np.full((count, size), np.nan)  # of the present level; the latest last
        self.starts = np.full((count, size), np.nan)  # n and m of equation (1)
        self.canary_starts = np.full((count, size), np.nan)
        self.differences = np.full((count, size), np.nan)  # of neighbouring nights, over their expected noise
        self.canaries = np.full((count, CANARY_NIGHTS), np.nan)
        self.seen = np.zeros(count, int)  # nights
        self.last, self.last_variance = np.full(count, np.nan), np.full(count, np.nan)

    def night(self, starts: np.ndarray, before: np.ndarray, after: np.ndarray) -> Night:
        """Return what a night's fresh starts say before any re-run.

        Args:
            starts: (series, n) log times; before, after: (series, m) of the canary; NaN for what there is not.
        """
        self._starts, self._before, self._after = starts, before, after
        return self._look(starts)

    def settle(self, night: Night, more: np.ndarray, alarmed: np.ndarray | None = None) -> Night:
        """Return the night with its re-run, (series, r) log times, NaN where there was none; remember it.

        Where it alarms, the baseline moves on: the nights of the new level are all that is remembered.

        Args:
            alarmed: of a night long past, for how many nights the new level had lasted where it alarmed then, 0 where
                it did not, -1 where nobody knows: what was said then goes before what would be said today.
        """
        again = np.isfinite(more).any(1)
        final = self._look(np.concatenate([self._starts, more], 1)) if again.any() else night
        final.suspected = night.suspected
        alone = combine(more, self.noise.variance)
        base, base_variance = self._base(np.maximum(final.nights, 1))
        own = alone.mean - self._canary.mean - base
        spread = base_variance + self._tau() + self.noise.variance / np.maximum(alone.count, 1) + self._canary_variance
        with np.errstate(invalid="ignore"):
            final.confirmed = again & (own / np.sqrt(spread) * np.sign(final.height) > CONFIRMED)
        final.found = final.judged & (final.noisy == CALM) & final.confirmed & (np.abs(final.z) > final.bound)
        final.alarm = final.found & self._lasts
        past = np.full(self.count, -1) if alarmed is None else alarmed
        self._remember(final, np.where(past < 0, np.where(final.alarm, final.nights, 0), past))
        return final

    def restart(self, rows: np.ndarray) -> None:
        """Forget all of some series: the device is another one."""
        fresh = Detector(self.count)
        for name in ("levels", "starts", "canary_starts", "differences", "canaries", "seen", "last", "last_variance"):
            getattr(self, name)[rows] = getattr(fresh, name)[rows]
        for mine, other in ((self.noise, fresh.noise), (self.canary_noise, fresh.canary_noise)):
            mine.squares[rows], mine.degrees[rows] = other.squares[rows], other.degrees[rows]

    def _look(self, starts: np.ndarray) -> Night:
        """Return the night of these starts; nothing is remembered yet, but for the pieces that `settle` needs."""
        self._own = combine(starts, self.noise.variance)
        canary = combine(np.concatenate([self._before, self._after], 1), self.canary_noise.variance)
        canary.mean = np.where(canary.count > 0, canary.mean, 0.0)
        self._canary = canary
        self._canary_variance = np.where(
            canary.count > 0, self.canary_noise.variance / np.maximum(canary.count, 1), 0.0
        )
        level = self._own.mean - canary.mean
        there = np.isfinite(level)
        noisy, moved = self._noisy()
        variance = self._tau() + self.noise.variance / np.maximum(self._own.count, 1) + self._canary_variance
        judged = there & (self.seen >= BASELINE)
        height, z, nights = self._steps(level, variance)
        judged &= np.isfinite(z)
        bound = self._bound()
        young = np.isfinite(self.levels).sum(1) < YOUNG
        suspicion = np.where(young, YOUNG_SUSPICION, SUSPICION)
        suspected = judged & (noisy == CALM) & (np.abs(np.where(judged, z, 0.0)) > suspicion)
        no = np.zeros(self.count, bool)
        return Night(judged, noisy, suspected, level, variance, height, z, nights, bound, no, no, no, moved)

    def _noisy(self) -> tuple[np.ndarray, np.ndarray]:
        """Return why the night says nothing, and how far the canary moved against its last nights."""
        own, canary, noise = self._own, self._canary, self.canary_noise.variance
        first, second = combine(self._before, noise), combine(self._after, noise)
        both = (first.count > 0) & (second.count > 0)
        apart = np.abs(first.mean - second.mean)
        spread = np.sqrt(noise * (1 / np.maximum(first.count, 1) + 1 / np.maximum(second.count, 1)))
        moved = canary.mean - _median(self.canaries)
        known = (np.isfinite(self.canaries).sum(1) >= CANARY_NIGHTS // 2) & (canary.count > 0)
        allowed = CANARY_BOUND * np.sqrt(self._canary_variance * (1 + np.pi / 2 / CANARY_NIGHTS)) + CANARY_DRIFT
        limit = special.chdtri(np.maximum(own.count - 1, 1), SPREAD_SHARE) * self.noise.variance
        noisy = np.full(self.count, CALM)
        with np.errstate(invalid="ignore"):
            noisy[own.apart | (own.squares > limit)] = STARTS_DIFFER
            noisy[both & (apart > CANARY_BOUND * spread + CANARY_DRIFT)] = CANARY_UNSTEADY
            noisy[known & (np.abs(moved) > allowed)] = CANARY_MOVED
        noisy[self.seen < BASELINE] = CALM  # what is noise there is still learned
        return noisy, np.where(known, moved, 0.0)

    def _tau(self) -> np.ndarray:
        """Return tau^2 of equation (1): what neighbouring nights differ by beyond the starts' noise, surely."""
        ratio = (_median(np.abs(self.differences)) * _TO_SIGMA) ** 2  # 1 where the starts' noise is all
        number = np.isfinite(self.differences).sum(1)
        sure = ratio * (1 - _SHRINK / np.sqrt(np.maximum(number, 8)))
        expected = self.noise.variance / 3 + self._canary_variance
        return np.where(number >= 8, np.maximum(sure - 1, 0.0), 0.0) * expected

    def _weights(self) -> np.ndarray:
        """Return 1 / v of the remembered nights, 0 for none."""
        canary = np.where(
            np.isfinite(self.canary_starts), self.canary_noise.variance[:, None] / self.canary_starts, 0.0
        )
        variance = self._tau()[:, None] + self.noise.variance[:, None] / self.starts + canary
        return np.where(np.isfinite(self.levels), 1 / variance, 0.0)

    def _steps(self, level: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the likeliest step, tonight's level included: height, z, nights; `settle` finds which last."""
        weights = np.concatenate([self._weights(), (1 / variance)[:, None]], 1)
        values = np.concatenate([np.where(weights[:, :-1] > 0, self.levels, 0.0), level[:, None]], 1)
        weight, product = np.cumsum(weights[:, ::-1], 1), np.cumsum((weights * values)[:, ::-1], 1)
        inside, sums = weight[:, :WINDOW], product[:, :WINDOW]
        rest, rest_sums = weight[:, -1:] - inside, product[:, -1:] - sums
        nights = (weights > 0)[:, ::-1].cumsum(1)
        enough = (nights[:, -1:] - nights[:, :WINDOW]) >= _LEAST_BEFORE
        with np.errstate(invalid="ignore", divide="ignore"):
            heights = sums / inside - rest_sums / rest
            zs = heights / np.sqrt(1 / inside + 1 / rest)
            # Of the window without tonight: has it half of the height? Else tonight alone is what is seen.
            earlier = (sums - product[:, :1]) / (inside - weight[:, :1]) - rest_sums / rest
            lasting = earlier * np.sign(heights) >= np.abs(heights) / 2
        zs = np.where(enough, zs, 0.0)
        # Likelier than a step of tonight: else nights of the old level that were high by chance count as the new one.
        lasting &= np.abs(zs) >= np.abs(zs[:, :1])
        lasting[:, 0] = False
        self._bases = (
            np.where(enough, rest_sums / np.maximum(rest, 1e-300), np.nan),
            np.where(enough, 1 / np.maximum(rest, 1e-300), np.nan),
        )
        # A step that lasts goes before a likelier one that does not.
        bound = self._bound()[:, None]
        score = np.abs(zs) + np.where(lasting & (np.abs(zs) > bound), 1e6, 0.0)
        best = score.argmax(1)
        rows = np.arange(self.count)
        self._lasts = score[rows, best] >= 1e6
        z = np.where(enough.any(1), zs[rows, best], np.nan)
        return heights[rows, best], z, best + 1

    def _bound(self) -> np.ndarray:
        """Return the bound of |z|: Student's, with Satterthwaite's degrees of freedom of a sum of variances."""
        own, canary = self.noise.variance / np.maximum(self._own.count, 1), self._canary_variance
        tau = self._tau()
        pairs = np.maximum(np.isfinite(self.differences).sum(1) / _PAIRS, 2.0)
        parts = own**2 / self.noise.degrees + canary**2 / self.canary_noise.degrees + tau**2 / pairs
        degrees = (own + canary + tau) ** 2 / parts
        return np.asarray(-special.stdtrit(degrees, ALPHA / 2))

    def _base(self, nights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of the nights before a step that began `nights` ago."""
        rows = np.arange(self.count)
        return self._bases[0][rows, nights - 1], self._bases[1][rows, nights - 1]

    def _remember(self, night: Night, lasted: np.ndarray) -> None:
        there = np.isfinite(night.level)
        rows = there & (night.noisy == CALM)
        # Each night by its own number of starts: after a re-run there are more of them than in the night before.
        own = self.noise.variance / np.maximum(self._own.count, 1) + self._canary_variance
        expected = np.sqrt(own + self.last_variance)
        _push(self.differences, (night.level - self.last) / expected, rows & np.isfinite(self.last))
        self.noise.add(self._own, rows)
        for side in (self._before, self._after):
            self.canary_noise.add(combine(side, self.canary_noise.variance), rows)
        _push(self.canaries, self._canary.mean, there & (self._canary.count > 0))
        _push(self.levels, night.level, rows)
        _push(self.starts, self._own.count.astype(float), rows)
        _push(self.canary_starts, np.where(self._canary.count > 0, self._canary.count, np.nan), rows)
        self.last = np.where(rows, night.level, self.last)
        self.last_variance = np.where(rows, own, self.last_variance)
        self.seen += rows
        for row in np.flatnonzero(lasted):
            self.levels[row, : -int(lasted[row])] = np.nan


def _push(memory: np.ndarray, values: np.ndarray, rows: np.ndarray) -> None:
    """Append a value to the rows meant; their oldest goes."""
    memory[rows, :-1] = memory[rows, 1:]
    memory[rows, -1] = values[rows]
