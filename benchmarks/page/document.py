"""The page as one file: template, style, program, library of charts and content; no network is needed for any of it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from edge.errors import EdgeError

WEB = Path(__file__).with_name("web")
LIBRARY = "echarts/echarts.min.js"
LIBRARY_SHA256 = "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0"  # web/echarts/README.md
SCRIPTS = ("tools", "state", "filters", "matrix", "details", "tables", "charts", "trends", "accuracy", "costs", "page")
LICENCES = ("NOTICE", "LICENSE", "LICENSE-d3")

# No request of any kind, and no script or style but those whose digests it names.
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; script-src {scripts}; style-src {styles}"
)


def document(content: Mapping[str, Any], title: str, summary: str) -> str:
    """Return the page.

    Args:
        content: of `benchmarks.page.content.content`, with "written" and "program".
        title: text of the page's title.
        summary: text that stands in the page before any script runs.
    """
    style = _filled("page.css", {"dark": _text("dark.css")})  # the system's choice and the reader's are the same
    library = _library()
    program = f'(() => {{\n"use strict";\n{"".join(_text(f"js/{name}.js") for name in SCRIPTS)}}})();\n'
    parts = {
        "policy": html.escape(
            POLICY.format(scripts=f"{_digest(library)} {_digest(program)}", styles=_digest(style)), quote=True
        ),
        "title": html.escape(title),
        "summary": html.escape(summary),
        "style": style,
        "content": embedded(content),
        "library": library,
        "program": program,
        "licences": html.escape("\n\n".join(_text(f"echarts/{name}").strip() for name in LICENCES)),
    }
    return _filled("page.html", parts)


def embedded(content: Mapping[str, Any]) -> str:
    """Return JSON for a script element of HTML: in ASCII, and nothing in it ends the element or begins a comment."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _filled(name: str, parts: Mapping[str, str]) -> str:
    """Return a file with these parts where {{PART}} stands."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _text(name))


@cache
def _text(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _library() -> str:
    text = _text(LIBRARY)
    if hashlib.sha256(text.encode()).hexdigest() != LIBRARY_SHA256:
        raise EdgeError(
            f"{WEB / LIBRARY} is not the file that came with this program: expected SHA-256 {LIBRARY_SHA256}; "
            "install edge-bench again",
            "page.library",
        )
    return text


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
