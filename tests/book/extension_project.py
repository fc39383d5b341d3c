"""A tiny book in a temporary folder, for the tests of the Sphinx extension."""

from __future__ import annotations

import copy
import io
import json
import os
from pathlib import Path
from typing import Any

import yaml
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from scispaces.book.checks import write_check_pages

CLAIMS: list[dict[str, Any]] = [
    {"id": "zlpr/value", "says": "The loss at $s = 0$.", "kind": "rounding", "expected": 2.9957,
     "tolerance": 1e-4, "format": ".3f"},
    {"id": "zlpr/score", "says": "Macro-averaged F1 on scene.", "kind": "interval",
     "expected": [0.7, 0.75], "format": ".3f", "test": "t-interval over seeds",
     "published": {"value": 0.9, "source": "su2022", "where": "Table 2"}},
    {"id": "zlpr/speed", "says": "How much faster.", "kind": "timing",
     "expected": {"at_least": 15}, "format": ".1f"},
    {"id": "zlpr/ranks", "says": "Average ranks.", "kind": "ordering",
     "expected": ["zlpr", "bce"], "format": ".2f"},
    {"id": "zlpr/tiny", "says": "An error.", "kind": "rounding", "expected": 0.0,
     "tolerance": 1e-6, "format": ".1e"},
]  # fmt: skip
PROVENANCE = {
    "commit": "abcdef123456",
    "device": "cpu",
    "hardware": {"processor": "A processor", "cores": 2},
}
SOURCE = '@pytest.mark.equation("zlpr-loss")\ndef test_limit():\n    """A limit."""\n    assert 1\n'
CHECK = {
    "test": "tests/equations/zlpr/test_loss.py::test_limit",
    "says": "The limit is reached by `mpmath` at fifty digits.",
    "outcome": "passed",
    "file": "tests/equations/zlpr/test_loss.py",
    "line": 7,
    "source": SOURCE,
}
DISCREPANCY = {
    "id": "zlpr-clip",
    "chapter": "zlpr",
    "where": {"source": "A library", "place": "losses", "version": "1.0"},
    "kind": "wrong",
    "says": "It clips at $10^{-7}$.",
    "truth": "Nothing must be clipped.",
    "consequence": "The gradient changes its sign.",
}
CHAPTER = r"""# A chapter

The loss is {num}`zlpr/value`, that is $\mathcal L = {num}`zlpr/value:.1f`$ with
$t = \given{0.2}$ and {given}`0.25`; speed {num}`zlpr/speed`, rank {num}`zlpr/ranks[bce]`.

$$
L = \log(1 + e^s) \approx {num}`zlpr/tiny`
$$ (zlpr-loss)
"""
CONFIGURATION = """
project = "Tiny"
extensions = ["myst_parser", "sphinx.ext.mathjax", "sphinx.ext.intersphinx",
              "sphinxcontrib.bibtex", "scispaces.book.extension"]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
bibtex_bibfiles = ["refs.bib"]
html_theme = "basic"
root_doc = "index"
exclude_patterns = ["_build"]
"""


class Project:
    """A project folder with evidence and, under `_build/stage`, a Sphinx source."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = root / "_build" / "stage"
        self.html = root / "_build" / "html"
        self.claims = copy.deepcopy(CLAIMS)
        self.values: dict[str, Any] = {
            "zlpr/value": 2.99573, "zlpr/score": 0.7224, "zlpr/speed": 18.24,
            "zlpr/ranks": {"zlpr": 1.75, "bce": 2.5}, "zlpr/tiny": -1.19e-7,
        }  # fmt: skip
        self.checks: dict[str, Any] = {
            "equations": {"zlpr-loss": [dict(CHECK)]},
            "discrepancies": {
                "zlpr-clip": [
                    {**CHECK, "test": "tests/discrepancies/test_zlpr.py::test_clip",
                     "file": "tests/discrepancies/test_zlpr.py"}
                ]
            },
        }  # fmt: skip
        self.write("_toc.yml", "")
        self.write("data/discrepancies.yml", yaml.safe_dump([DISCREPANCY]))
        self.page("conf.py", CONFIGURATION)
        self.page("refs.bib", "@misc{su2022, author={Su, Jianlin}, title={ZLPR}, year={2022}}\n")
        self.page("index.md", "# Tiny\n\n```{toctree}\n:glob:\n\nnotebooks/*\nbook/*\n"
                              "book/checks/*\n```\n")  # fmt: skip
        self.page("notebooks/zlpr.md", CHAPTER)
        self.page("book/evidence.md", "# Evidence\n\n```{evidence-table}\n```\n\n"
                                      "```{bibliography}\n```\n")  # fmt: skip
        self.page("book/equations.md", "# Equations\n\n```{equation-index}\n```\n")
        self.page("book/discrepancies.md", "# Discrepancies\n\n```{discrepancy-register}\n```\n")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def page(self, name: str, text: str) -> Path:
        return self.write(f"_build/stage/{name}", text)

    def write_evidence(self) -> None:
        """Write claims, results and checks, as a build finds them."""
        records = {
            name: {"value": value, "seeds": None, "interval": None, "note": None,
                   "state": "verified", "cell": "zlpr-003"}
            for name, value in self.values.items()
        }  # fmt: skip
        if "zlpr/score" in records:
            records["zlpr/score"].update(
                seeds=[0, 1, 2], interval=[0.71, 0.73], state="recorded",
                provenance={**PROVENANCE, "profile": "full", "recorded": "2026-11-20"},
            )  # fmt: skip
        results = {
            "chapter": "zlpr",
            "profile": "quick",
            "provenance": PROVENANCE,
            "run": {"started": "2026-11-22T07:00:00+00:00", "seconds": 1.5},
            "records": records,
        }
        self.write("_build/results/zlpr.json", json.dumps(results))
        document = yaml.safe_dump({"chapter": "zlpr", "claims": self.claims})
        self.write("data/claims/zlpr.yml", document)
        self.write("_build/checks.json", json.dumps(self.checks))
        write_check_pages(self.checks, self.source / "book" / "checks")

    def build(self, *, fresh: bool = False) -> str:
        """Build the pages, incrementally unless `fresh`; return Sphinx's warnings."""
        warnings = io.StringIO()
        with patch_docutils(), docutils_namespace():
            app = Sphinx(
                srcdir=self.source,
                confdir=self.source,
                outdir=self.html,
                doctreedir=self.root / "_build" / "doctrees",
                buildername="html",
                status=None,
                warning=warnings,
                freshenv=fresh,
                confoverrides={"nitpicky": True},
            )
            app.build()
        return warnings.getvalue()

    def read(self, page: str) -> str:
        return (self.html / page).read_text(encoding="utf-8")


def age(path: Path) -> None:
    """Give a file a time stamp long past, as a restored file has."""
    os.utime(path, (1_000_000_000, 1_000_000_000))
