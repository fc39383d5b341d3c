"""MathJax from the installed package, and nothing else: no page loads from another host.

Only the files a page can ask for are copied, to `_static/mathjax/`: the TeX-to-HTML bundle, the
extension behind `\\href` and `\\class`, and the fonts. They are put there when the build ends, so
no page loads them as scripts of its own.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

_BUNDLE = "tex-chtml.js"
_NEEDED = (
    _BUNDLE,
    "input/tex/extensions/html.js",
    "output/chtml/fonts/woff-v2",
)
_MATHJAX: dict[str, Any] = {
    "loader": {"load": ["[tex]/html"]},
    "tex": {
        "packages": {"[+]": ["html"]},
        # \given{…} marks an input in the source; the reader sees the number.
        "macros": {"given": ["{#1}", 1]},
    },
    # The menu would fetch speech files that are not here; MathML for screen readers stays.
    "options": {"enableMenu": False},
}


def setup(app: Sphinx) -> None:
    """Point Sphinx at the local MathJax."""
    app.connect("config-inited", _configure)
    app.connect("build-finished", _copy)


def _configure(app: Sphinx, config: Config) -> None:
    config.mathjax_path = f"mathjax/{_BUNDLE}"
    config.mathjax3_config = _merged(_MATHJAX, config.mathjax3_config or {})


def _merged(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Return both settings; where both set the same thing, the book's `_config.yml` wins."""
    both = {**ours, **theirs}
    for name in ours.keys() & theirs.keys():
        if isinstance(ours[name], dict) and isinstance(theirs[name], dict):
            both[name] = _merged(ours[name], theirs[name])
    return both


def _copy(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    spec = find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise ExtensionError("The package `sphinx-mathjax-offline` must be installed.")
    source = Path(spec.origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for name in _NEEDED:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, place, dirs_exist_ok=True)
        else:
            shutil.copy(source / name, place)
