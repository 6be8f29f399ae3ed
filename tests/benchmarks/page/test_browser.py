"""The page in headless Chromium: no error, no request, filters, keyboard, screen readers, themes, a phone's width."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_FILE_PATH

from benchmarks.history.store import Store
from benchmarks.lab import debian
from benchmarks.measurement import Cell, Verdict, Word
from benchmarks.page.browser import chromium, drawn
from benchmarks.page.command import page as written
from benchmarks.page.content import content
from edge.model import find, read
from tests.benchmarks.page.nights import HOSTILE, NIGHTS, add, down, every_word, history, identity, measured

pytestmark = pytest.mark.timeout(300)  # a Chromium on a busy machine


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        with chromium() as found:
            yield found
    except debian.Unavailable as error:
        pytest.skip(str(error))


def rich(store: Store) -> None:
    """Every verdict, targets met, missed and not measured, accuracies, an emulated device."""
    cells = every_word(store)
    digests = [read(find(name)).sha256 for name in ("pneumonia", "cpgresnet50")]
    found, verdicts = [], []
    for place, cell in enumerate([*cells[:3], Cell("virtual", "net", "native", 1)]):
        targets = [
            {"name": "speedup", "target": 8.0, "measured": 9.0, "met": True, "basis": "host"},
            {"name": "memory_mb", "target": 50.0, "measured": 60.0, "met": False, "basis": "peak"},
            {"name": "latency_ms", "target": 5.0, "measured": None, "met": None, "basis": "warm median"},
        ]
        folder = {"kind": "folder", "count": 336, "folder": "/data/xray", "metrics": {"accuracy": 0.9 + place / 100}}
        more = {"targets": targets, "accuracy": folder, "p50": 4.0 + place}
        who = identity(model_sha256=digests[place % 2], emulated=cell.device == "virtual")
        found.append(measured(cell, NIGHTS[20], identity=who, **more))
        word = list(Word)[place]
        verdicts.append(
            Verdict(cell, word, f"because of {word.value}", {"ratio": 1.0 + 0.06 * place, "alarm": place == 1})
        )
    for cell in cells[3:]:
        found.append(down(cell, NIGHTS[20]))
        verdicts.append(Verdict(cell, Word.DEVICE_DOWN, "pi5 does not answer", {}))
    add(store, NIGHTS[20], found, verdicts)


def steps(samples: list[Any]) -> list[int]:
    return [15] if samples[0].p50_ms and len(samples) > 15 else []


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[Store], None]], Path]:
    """Returns the page of a history that a function fills, written once."""
    folder = tmp_path_factory.mktemp("pages")

    def file(fill: Callable[[Store], None]) -> Path:
        path = folder / f"{fill.__name__}.html"
        if not path.exists():
            with history(path.with_suffix(".sqlite")) as store:
                fill(store)
                path.write_text(written(content(store, steps)))
        return path

    return file


@pytest.fixture
def page(browser: Any, files: Callable[[Callable[[Store], None]], Path]) -> Iterator[Callable[..., Any]]:
    """Opens the page of a history, and holds that nothing was complained of or asked for."""
    contexts, said, asked = [], [], []

    def opened(fill: Callable[[Store], None], width: int = 1280, theme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
        contexts.append(context)
        found = context.new_page()
        found.on("console", lambda message: said.append(message.text))
        found.on("pageerror", lambda error: said.append(str(error)))
        found.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        drawn(found, files(fill))
        return found

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert len({*asked}) == len(contexts) and all(url.startswith("file:") for url in asked)


def cells(page: Any) -> list[str]:
    return [button.get_attribute("aria-label") for button in page.query_selector_all(".grid button")]


def scroll_through(page: Any) -> None:
    """Have every chart drawn, and every table of a chart open."""
    page.evaluate("document.querySelectorAll('figure details').forEach((one) => { one.open = true; })")
    for place in range(0, page.evaluate("document.documentElement.scrollHeight"), 800):
        page.evaluate(f"scrollTo(0, {place})")
        page.evaluate("new Promise(requestAnimationFrame)")


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing_serious_and_nothing_sticks_out(page: Callable[..., Any], theme: str, width: int) -> None:
    opened = page(rich, width, theme)
    scroll_through(opened)
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert opened.locator("figure canvas").count() == 5
    # A script element with axe in it would be against the page's policy.
    opened.evaluate(AXE_FILE_PATH.read_text())
    for state in ("page", "dialog"):
        if state == "dialog":
            opened.locator(".grid button").first.click()
        where = "document" if state == "page" else "document.querySelector('dialog')"
        found = opened.evaluate(f"axe.run({where}, {{ resultTypes: ['violations'] }})")
        grave = [
            (one["id"], [node["html"] for node in one["nodes"]][:3])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert grave == [], state
        assert len(found["passes"]) > 8


def test_the_themes_can_be_chosen(page: Callable[..., Any]) -> None:
    opened = page(rich)
    colour = "getComputedStyle(document.body).backgroundColor"
    light = opened.evaluate(colour)
    opened.select_option("#theme", "dark")
    assert opened.evaluate(colour) != light
    opened.select_option("#theme", "light")
    assert opened.evaluate(colour) == light


def test_filters_leave_what_they_name(page: Callable[..., Any]) -> None:
    opened = page(rich)
    wanted = {"device": ("pi4", 3), "model": ("other", 2), "runtime": ("native", 1), "threads": ("2", 2)}
    for key, (value, count) in {**wanted, "verdict": ("DEVICE-DOWN", 3)}.items():
        assert len(cells(opened)) == 7
        opened.select_option(f"#filter-{key}", value)
        assert len(cells(opened)) == count
        assert opened.inner_text("#shown") == f"{count} of 7 cells"
        opened.click("#reset")
    opened.select_option("#filter-device", "pi4")
    opened.select_option("#filter-threads", "1")
    opened.reload()  # the address keeps them
    assert len(cells(opened)) == 2


def test_filters_that_leave_nothing_say_so(page: Callable[..., Any]) -> None:
    opened = page(rich)
    opened.select_option("#filter-device", "virtual")
    opened.select_option("#filter-verdict", "DEVICE-DOWN")
    assert "No cell fits" in opened.inner_text("#matrix")
    assert opened.locator("figure canvas:visible").count() == 0


def test_filters_reach_every_section(page: Callable[..., Any]) -> None:
    opened = page(rich)
    opened.select_option("#filter-device", "pi4")
    scroll_through(opened)
    assert "pi5" not in opened.inner_text("main") and "virtual" not in opened.inner_text("main")


def test_the_keyboard_reaches_everything(page: Callable[..., Any]) -> None:
    opened = page(rich)
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.textContent") == "Skip to the matrix"
    reached = set()
    where = """() => {
        const one = document.activeElement;
        return one === document.body ? "" : one.id || `${one.closest("[id]")?.id} ${one.className}`;
    }"""
    for _ in range(200):
        opened.keyboard.press("Tab")
        reached.add(opened.evaluate(where))
        if "" in reached:
            break
    for name in ("theme", "filter-device", "filter-verdict", "shade", "trend-unit", "accuracy-score"):
        assert name in reached
    assert {f"{name} canvas" for name in ("trend", "pareto", "cost-image", "cost-cold", "cost-memory")} <= reached
    assert "look link" in reached
    assert sum(where.startswith("matrix-table") for where in reached) == 1, "one stop for the whole table"


def test_arrow_keys_go_through_the_matrix_and_enter_opens_a_cell(page: Callable[..., Any]) -> None:
    opened = page(rich)
    labels = cells(opened)
    here = "document.activeElement.getAttribute('aria-label')"
    opened.focus(".grid button[aria-label^='net on pi4, litert, 1 thread']")
    seen = [opened.evaluate(here)]
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "End", "Home", "ArrowUp"):
        opened.keyboard.press(key)
        seen.append(opened.evaluate(here))
    assert set(seen) <= {*labels} and len({*seen}) >= 4
    assert seen[-1] == seen[0] and seen[1] != seen[0] != seen[2]
    opened.keyboard.press("Enter")
    assert opened.evaluate("document.querySelector('dialog').open && document.activeElement.textContent === 'Close'")
    assert "Evidence" in opened.inner_text("dialog")
    opened.keyboard.press("Escape")
    assert opened.evaluate(here) == seen[0]


def test_arrow_keys_show_the_values_of_a_chart(page: Callable[..., Any]) -> None:
    opened = page(rich)
    for name in ("trend", "pareto", "cost-image"):
        opened.focus(f"#{name} .canvas")
        opened.wait_for_selector(f"#{name} canvas")
        opened.keyboard.press("ArrowRight")
        opened.wait_for_selector(f"#{name} .tip")
        assert any(unit in opened.inner_text(f"#{name} .tip") for unit in ("%", "ms"))
        first = opened.inner_text(f"#{name} .tip strong")
        opened.wait_for_function(f"document.getElementById('announcer').textContent.startsWith({first!r})")


def test_charts_have_words_and_numbers_beside_them(page: Callable[..., Any]) -> None:
    opened = page(rich)
    scroll_through(opened)
    for figure in opened.query_selector_all("figure"):
        label = figure.query_selector(".canvas").get_attribute("aria-label")
        assert label == figure.query_selector("figcaption").inner_text() and len(label) > 30
        assert len(figure.query_selector_all("tbody tr")) >= 3
    trend = opened.inner_text("#trend")
    assert "Steps: " in trend and "2026-11-16" in trend and "DEVICE-DOWN" in trend
    assert "Pareto front" in opened.inner_text("#pareto table")


def test_targets_are_met_missed_or_a_dash(page: Callable[..., Any]) -> None:
    opened = page(rich)
    rows = [row.inner_text().replace("\n", " ") for row in opened.query_selector_all("#targets tbody tr")]
    assert any("speedup" in row and "≥ 8" in row and "met" in row and "host" in row for row in rows)
    assert any("memory" in row and "≤ 50 MB" in row and "missed" in row and "pi4" in row for row in rows)
    assert any("latency" in row and "–" in row and "not measured" in row for row in rows)
    assert any("virtual emulated" in row for row in rows)


def test_a_device_that_is_down_is_one_line_to_look_at(page: Callable[..., Any]) -> None:
    opened = page(rich)
    assert "2 models on pi5, 3 cells" in opened.inner_text("#look")
    opened.click("text=2 models on pi5, 3 cells")
    assert len(cells(opened)) == 3


def test_hostile_names_are_names(page: Callable[..., Any]) -> None:
    def fill(store: Store) -> None:
        for night in NIGHTS[:3]:
            named = [Cell(name, name, "litert", 1) for name in HOSTILE]
            found = [
                measured(
                    cell,
                    night,
                    identity=identity(board={"model": cell.model, "cores": 4}, kernel=cell.model),
                    accuracy={"kind": "folder", "folder": cell.model, "count": 1, "metrics": {"accuracy": 0.5}},
                    targets=[{"name": cell.model, "target": 1.0, "measured": 2.0, "met": True, "basis": cell.model}],
                )
                for cell in named
            ]
            add(
                store, night, found, [Verdict(cell, Word.NOISY, cell.model, {cell.model: cell.model}) for cell in named]
            )

    opened = page(fill, 360)
    scroll_through(opened)
    assert opened.title() == "edge-bench, night of 2026-11-03 02:00 UTC"
    assert opened.locator("img, main script").count() == 0
    for name in HOSTILE:
        assert name in opened.evaluate("document.getElementById('matrix').textContent")
    opened.focus("#cost-image .canvas")
    for _ in HOSTILE:
        opened.keyboard.press("ArrowDown")
    opened.locator(".grid button").first.click()
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")


def nothing(store: Store) -> None:
    pass


def one_night(store: Store) -> None:
    cell = Cell("this machine", "net", "litert", 1)
    add(store, NIGHTS[0], [measured(cell, NIGHTS[0])], [Verdict(cell, Word.PASS, "baseline: 1 of 14 nights", {})])


def only_down(store: Store) -> None:
    cell = Cell("pi4", "net", "litert", 1)
    add(store, NIGHTS[0], [down(cell, NIGHTS[0])], [Verdict(cell, Word.DEVICE_DOWN, "no answer", {})])


@pytest.mark.parametrize(
    ("fill", "said"),
    [(nothing, "no finished night yet"), (one_night, "This is the first night"), (only_down, "No device answered")],
)
def test_histories_with_little_in_them_say_so(
    page: Callable[..., Any], fill: Callable[[Store], None], said: str
) -> None:
    opened = page(fill, 360)
    scroll_through(opened)
    assert said in opened.inner_text("main .notice")
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "NaN" not in opened.inner_text("body") and "undefined" not in opened.inner_text("body")
