"""A small checkout of the book with two tiny chapters, and the graph of jobs run on it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = (
    "src",
    "workflow",
    "book",
    "_config.yml",
    "data/registry.csv",
    "requirements.lock",
    "pyproject.toml",
    "tests/conftest.py",
)

CHAPTER = """---
scispaces:
  title: A chapter
---

# A chapter

```{code-cell} ipython3
:tags: [parameters]
profile = "quick"
```

```{code-cell} ipython3
import time
from scispaces.evidence import record

if False:
    import scispaces.ROOM
time.sleep(PAUSE)
record("SLUG/one", 1)
```

One is {num}`SLUG/one`, also in maths: ${num}`SLUG/one`$.

$$ 1 + 1 = 2 $$ (SLUG-sum)
"""
CLAIMS = """
chapter: SLUG
claims:
  - {id: SLUG/one, says: One is one., kind: exact, expected: 1}
"""


def write_chapter(checkout, slug, room, pause=0):
    text = CHAPTER.replace("SLUG", slug).replace("ROOM", room).replace("PAUSE", str(pause))
    (checkout / f"notebooks/{slug}.md").write_text(text)
    (checkout / f"data/claims/{slug}.yml").write_text(CLAIMS.replace("SLUG", slug))


TOC = """
format: jb-book
root: book/index
parts:
  - caption: Chapters
    chapters: [{file: notebooks/first}, {file: notebooks/second}]
  - caption: Evidence
    chapters:
      - {file: book/verify}
      - {file: book/equations}
      - {file: book/evidence}
      - {file: book/discrepancies}
"""
CHECK = '''
import pytest

@pytest.mark.equation("first-sum")
@pytest.mark.equation("second-sum")
def test_sum():
    """One and one is two."""
    assert 1 + 1 == 2
'''


def make_checkout(folder):
    """Lay out a checkout with chapters `first` (imports losses) and `second` (datasets)."""
    for name in SOURCES:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    for name in ("notebooks", "data/claims", "tests/equations", "tests/discrepancies"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "book/index.md").write_text("# A book\n")
    (folder / "book/refs.bib").write_text("")
    (folder / "data/discrepancies.yml").write_text("[]\n")
    (folder / "tests/equations/test_sums.py").write_text(CHECK)
    (folder / "_toc.yml").write_text(TOC)
    write_chapter(folder, "first", "losses")
    write_chapter(folder, "second", "datasets")
    return folder


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return make_checkout(tmp_path_factory.mktemp("checkout"))


def command(*options, target="_build/verified"):
    snakemake = [sys.executable, "-m", "snakemake", target, "--cores", "2"]
    flags = ["--snakefile", "workflow/Snakefile", "--nolock", "--rerun-incomplete"]
    return [*snakemake, *flags, *options]


def environment():
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "SCISPACES_OFFLINE": "1"}


def snakemake(checkout, *options, target="_build/verified"):
    done = subprocess.run(
        command(*options, target=target),
        cwd=checkout,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
