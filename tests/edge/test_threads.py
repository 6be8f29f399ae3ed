"""One engine, many threads: every image gets its own answer, and the process stays as it was."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

import edge
from edge import image as images
from edge.check import check
from edge.preprocess import pixels
from edge.runtime import quiet
from edge.silence import Silence
from tests.edge.pictures import blobs, grey_ramp, png

THREADS = 8
PICTURES = [png(grey_ramp()), png(grey_ramp()[::-1] // 2), png(np.full((30, 30), 90, np.uint8)), png(blobs())]


def test_each_image_gets_its_own_answer(each_runtime: str, model: Path) -> None:
    engine = edge.load(model, each_runtime, threads=1)
    alone = [engine(picture).results for picture in PICTURES]
    assert len({str(results) for results in alone}) == len(PICTURES)

    def ask(number: int) -> bool:
        return engine(PICTURES[number % 4], repeat=1 + number % 3).results == alone[number % 4]

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(ask, range(400)))


def test_each_image_gets_its_own_mask(mask_model: Path) -> None:
    engine = edge.load(mask_model, threads=1)
    alone = [engine(picture).runs.encode() for picture in PICTURES]
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(lambda number: engine(PICTURES[number % 4]).runs.encode() == alone[number % 4], range(200))
        assert all(found)


def test_logits_and_checks_wait_as_well(model: Path) -> None:
    engine = edge.load(model, threads=1)
    arrays = [pixels(images.decode(data), engine.file.manifest.inputs[0]) for data in PICTURES]
    alone = [engine.outputs(array)[0].tolist() for array in arrays]

    def ask(number: int) -> bool:
        if number % 5 == 4:
            return not any(verdict.failed for verdict in check(engine))
        return engine.outputs(arrays[number % 4])[0].tolist() == alone[number % 4]

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(ask, range(200)))


def test_one_first_invoke_is_counted(model: Path) -> None:
    engine, barrier = edge.load(model, threads=1), Barrier(THREADS)

    def ask(number: int) -> edge.Answer:
        barrier.wait()
        return engine(PICTURES[number % 4])

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(ask, range(THREADS)))
    assert [answer.latency_ms["invoke"] for answer in answers].count(engine.first_invoke_ms) == 1


def test_waiting_is_in_no_phase(model: Path) -> None:
    engine = edge.load(model, threads=1)
    engine(PICTURES[0])
    with ThreadPoolExecutor(1) as pool:
        with engine._lock:  # as another thread's call does
            waiting = pool.submit(engine, PICTURES[0])
            assert wait([waiting], 0.5).not_done
        answer = waiting.result(10)
    assert answer.latency_ms["total"] < 400


def test_engines_load_at_once_and_standard_error_stays(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        engines = list(pool.map(lambda _: edge.load(model, threads=1), range(16)))
    assert len({str(engine(PICTURES[0]).results) for engine in engines}) == 1
    os.write(2, b"still here\n")
    assert "still here" in capfd.readouterr().err


def test_standard_error_comes_back_in_whatever_order_it_was_held(capfd: pytest.CaptureFixture[str]) -> None:
    def hold(number: int) -> None:
        with quiet():
            os.write(2, b"WARNING: %d\n" % number)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(hold, range(50)))
    lines = capfd.readouterr().err.splitlines()
    assert sorted(lines) == sorted(f"WARNING: {number}" for number in range(50))


def test_pythons_warnings_come_back_in_whatever_order_threads_leave() -> None:
    before = list(warnings.filters)
    silence = Silence()
    silence.__enter__()
    assert warnings.filters != before
    silence.__enter__()  # a second thread's
    silence.__exit__(None, None, None)  # the first one's
    assert warnings.filters != before
    silence.__exit__(None, None, None)
    assert warnings.filters == before
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(images.decode, PICTURES * 50))
    assert warnings.filters == before
