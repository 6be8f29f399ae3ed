"""The page as a file: nothing in its content becomes markup, its policy fits its scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.page import document as module
from benchmarks.page.document import WEB, document, embedded
from edge.errors import EdgeError
from tests.benchmarks.page.nights import HOSTILE

CONTENT = {"names": [*HOSTILE, "<!-- <script>", "]]>", "\u2028"], "written": "", "program": ""}


class Elements(HTMLParser):
    """The elements of a page with their attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.is_open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))
        self.is_open = True

    def handle_data(self, data: str) -> None:
        if self.is_open:
            self.found[-1][2].append(data)

    def handle_endtag(self, tag: str) -> None:
        self.is_open = False

    def texts(self, tag: str) -> list[str]:
        return ["".join(text) for name, _, text in self.found if name == tag]


def test_hostile_names_stay_in_the_content() -> None:
    text = embedded(CONTENT)
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text) == CONTENT
    page = Elements(document(CONTENT, HOSTILE[0], HOSTILE[1]))
    content, *_ = page.texts("script")
    assert json.loads(content) == CONTENT
    assert page.texts("title") == page.texts("h1") == [HOSTILE[0]]
    assert not any(tag == "img" for tag, _, _ in page.found)


def test_the_policy_names_the_scripts_and_the_style_and_no_host() -> None:
    page = Elements(document(CONTENT, "t", "s"))
    (policy,) = [attributes["content"] for tag, attributes, _ in page.found if attributes.get("http-equiv")]
    assert policy is not None
    _, program, library = page.texts("script")
    (style,) = page.texts("style")
    for text in (program, library, style):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert not re.search(r"https?:|\*|unsafe|'self'", policy)


def test_the_page_refers_to_nothing_outside() -> None:
    for tag, attributes, _ in Elements(document(CONTENT, "t", "s")).found:
        for key in ("src", "href", "action"):
            assert (attributes.get(key) or "#").startswith(("#", "data:,")), (tag, attributes)


def test_the_licence_of_the_charts_is_in_the_page() -> None:
    text = "".join(Elements(document(CONTENT, "t", "s")).texts("pre"))
    for words in ("The Apache Software Foundation", "Apache License", "Version 2.0, January 2004", "Mike Bostock"):
        assert words in text


def test_the_library_is_the_one_that_its_file_names() -> None:
    said = (WEB / "echarts/README.md").read_text()
    assert module.LIBRARY_SHA256 in said
    assert hashlib.sha256((WEB / module.LIBRARY).read_bytes()).hexdigest() == module.LIBRARY_SHA256
    version = re.search(r"npm package `echarts` ([\d.]+)", said)
    assert version and f'version="{version[1]}"' in (WEB / module.LIBRARY).read_text()
    assert f"Apache ECharts {version[1]}" in (WEB / "page.html").read_text()


def test_another_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web = tmp_path / "web"
    for path in WEB.rglob("*"):
        if path.is_file():
            (web / path.relative_to(WEB)).parent.mkdir(parents=True, exist_ok=True)
            (web / path.relative_to(WEB)).write_bytes(path.read_bytes() + b"//" * path.name.endswith(".min.js"))
    monkeypatch.setattr(module, "WEB", web)
    module._text.cache_clear()
    try:
        with pytest.raises(EdgeError, match="install edge-bench again"):
            document(CONTENT, "t", "s")
    finally:
        module._text.cache_clear()


def test_no_script_makes_markup_of_text() -> None:
    for path in (WEB / "js").glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", path.read_text()
        ), path
