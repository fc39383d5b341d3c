"""Read built pages without a browser: what they would load, where their links lead."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

_ADDRESS = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
_CSS_LOAD = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)
_SCRIPT_ADDRESS = re.compile(r"https?://[^\s'\"<>]+|//[\w.-]+\.(?:com|org|net)/[^\s'\"]*")
# Relations of <link> that only name another page.
_NAMES_ONLY = {"canonical", "author", "license", "next", "prev", "index", "search", "alternate"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.inside = tag
        if tag == "a" and "href" in values:
            self.links.append(unquote(values["href"]))
        self.ids.add(values.get("id", ""))
        names = ["src", "srcset", "poster", "data", "action"]
        if tag == "link" and not set(values.get("rel", "").split()) <= _NAMES_ONLY:
            names.append("href")
        if tag in ("image", "use"):
            names += ["href", "xlink:href"]
        self.found += [values[name] for name in names if _ADDRESS.match(values.get(name, ""))]
        self.found += _CSS_LOAD.findall(values.get("style", ""))
        if values.get("http-equiv", "").lower() == "refresh" and "//" in values.get("content", ""):
            self.found.append(values["content"])

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.found += _SCRIPT_ADDRESS.findall(data)
        elif self.inside == "style":
            self.found += _CSS_LOAD.findall(data)


def addresses(path: Path) -> list[str]:
    """Return where the links of a page lead, as written there."""
    return _read(path).links


def identifiers(path: Path) -> set[str]:
    """Return the fragments that a link to the page can name."""
    return _read(path).ids


def external_loads(folder: Path) -> list[str]:
    """Return `file: address` for everything under `folder` that names another host to load from.

    Links that a reader clicks are none of it. Scripts kept in their own files are not read: the
    browser check sees what they do.
    """
    loads = []
    for path in sorted(folder.rglob("*.html")):
        loads += [f"{path.relative_to(folder)}: {address}" for address in _read(path).found]
    for path in sorted(folder.rglob("*.css")):
        found = _CSS_LOAD.findall(path.read_text(encoding="utf-8"))
        loads += [f"{path.relative_to(folder)}: {address}" for address in found]
    return loads


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page
