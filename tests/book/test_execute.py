"""The executor on a one-cell chapter: what it writes, and what it refuses."""

import json

import nbformat
import pytest

from scispaces.book.execute import UndeclaredDataError, execute

HEADER = """---
scispaces:
  title: A chapter
  data: [multilabel/mulan/flags/]
---

```{code-cell} ipython3
:tags: [parameters]
profile = "quick"
```

```{code-cell} ipython3
"""

BODY = """from scispaces.evidence import record
record("tiny/profile", profile)
record("tiny/stored", 2, recorded=True)
"""

READS = """import scispaces.datasets as datasets
datasets.files_read = lambda: {"FILE": "0" * 64}
"""


def write(root, body):
    for folder in ("notebooks", "data/claims", "data/recorded/tiny"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "_toc.yml").write_text("format: jb-book\n")
    (root / "data/recorded/tiny/study.json").write_text('{"profile": "full"}')
    (root / "notebooks/tiny.md").write_text(f"{HEADER}{body}```\n")


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("SCISPACES_OFFLINE", "1")
    monkeypatch.delenv("SCISPACES_DATA", raising=False)


def test_a_chapter_becomes_a_notebook_and_results(tmp_path, offline, capsys):
    write(tmp_path, BODY + READS.replace("FILE", "multilabel/mulan/flags/flags.xml"))
    execute("tiny", "full", tmp_path)
    results = json.loads((tmp_path / "_build/results/tiny.json").read_text())
    assert results["profile"] == results["records"]["tiny/profile"]["value"] == "full"
    assert results["records"]["tiny/profile"]["cell"] == "tiny-001"
    assert results["records"]["tiny/stored"]["state"] == "recorded"
    assert results["records"]["tiny/stored"]["provenance"] == {"profile": "full"}
    assert results["provenance"]["data"] == {"multilabel/mulan/flags/flags.xml": "0" * 64}
    notebook = nbformat.read(tmp_path / "_build/notebooks/tiny.ipynb", as_version=4)
    assert "papermill" not in notebook.metadata
    assert [cell.id for cell in notebook.cells] == ["tiny-000", "tiny-000-injected", "tiny-001"]
    assert "flags.xml is neither here nor downloadable" in capsys.readouterr().out


def test_a_warning_goes_to_the_builder_and_not_into_the_notebook(tmp_path, offline, capsys):
    write(tmp_path, BODY + "import sys\nprint('a warning', file=sys.stderr)\n")
    execute("tiny", "quick", tmp_path)
    assert "tiny-001: a warning" in capsys.readouterr().err
    assert "a warning" not in (tmp_path / "_build/notebooks/tiny.ipynb").read_text().replace(
        "print('a warning'", ""
    )


def test_a_file_outside_the_header_is_refused(tmp_path, offline):
    write(tmp_path, BODY + READS.replace("FILE", "lm/ptb/ptb.train.txt"))
    with pytest.raises(UndeclaredDataError, match=r"Got lm/ptb/ptb.train.txt"):
        execute("tiny", "quick", tmp_path)
    assert not (tmp_path / "_build/results").exists()


def test_a_stored_number_shows_the_origin_of_its_own_table(tmp_path, offline):
    line = 'from scispaces.evidence import record\nrecord("tiny/ratio", 3.0, recorded="timings")\n'
    write(tmp_path, line)
    with pytest.raises(ValueError, match=r"must name a table of data/recorded/tiny/.*'timings'"):
        execute("tiny", "quick", tmp_path)
    (tmp_path / "data/recorded/tiny/timings.json").write_text('{"device": "cpu"}')
    execute("tiny", "quick", tmp_path)
    results = json.loads((tmp_path / "_build/results/tiny.json").read_text())
    assert results["records"]["tiny/ratio"]["provenance"] == {"device": "cpu"}


def test_a_number_recorded_twice_is_refused(tmp_path, offline):
    write(tmp_path, BODY + 'record("tiny/stored", 3)\n')
    with pytest.raises(ValueError, match="Got 'tiny/stored' twice"):
        execute("tiny", "quick", tmp_path)
