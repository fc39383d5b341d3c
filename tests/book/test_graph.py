"""Which files a chapter is made from."""

from pathlib import Path

import pytest

from scispaces.book import graph

NOTEBOOK = """---
scispaces:
  title: A chapter
  data: [multilabel/]
---

# A chapter

```{code-cell} ipython3
%matplotlib inline
IMPORTS
```
"""


@pytest.fixture(scope="module")
def modules():
    return graph.build_graph()


@pytest.fixture
def notebook(tmp_path):
    def write(imports):
        path = tmp_path / "chapter.md"
        path.write_text(NOTEBOOK.replace("IMPORTS", imports))
        return path

    return write


def test_imports_are_followed_transitively_and_to_parents(notebook, modules):
    found = graph.notebook_modules(notebook("from scispaces.evidence import record"), modules)
    assert {"scispaces", "scispaces.evidence", "scispaces.evidence.records"} <= found
    assert "scispaces.evidence.project" in found
    assert not any(name.startswith("scispaces.book") for name in found)


@pytest.mark.parametrize(
    "imports",
    [
        "import scispaces.losses",
        "from scispaces import losses",
        "from scispaces.losses import zlpr_loss",
        "def late():\n    from scispaces.losses import zlpr_loss",
    ],
)
def test_every_form_of_import_is_seen(notebook, modules, imports):
    found = graph.notebook_modules(notebook(imports), modules)
    assert "scispaces.losses" in found
    assert not any(name.startswith("scispaces.datasets") for name in found)


@pytest.mark.parametrize("options", [":tags: [hide-input]", "---\ntags: [hide-input]\n---"])
def test_options_of_a_cell_are_no_code(notebook, modules, options):
    found = graph.notebook_modules(notebook("import scispaces.datasets"), modules)
    path = notebook("import scispaces.datasets")
    path.write_text(path.read_text().replace("%matplotlib inline", options))
    assert graph.notebook_modules(path, modules) == found != set()


def test_a_chapter_that_imports_no_loss_does_not_depend_on_losses(notebook, modules):
    found = graph.notebook_modules(notebook("from scispaces import datasets"), modules)
    assert "scispaces.datasets" in found
    assert not any(name.startswith("scispaces.losses") for name in found)


def test_every_module_has_a_file(modules):
    source = Path(graph.__file__).parents[2]
    assert len(modules.modules) > 10
    assert all(graph.module_file(name, source).is_file() for name in modules.modules)


def test_a_header_without_our_entry_is_refused(tmp_path):
    path = tmp_path / "chapter.md"
    path.write_text("# No header\n")
    with pytest.raises(ValueError, match="must have a `scispaces` entry"):
        graph.header(path)
