"""A small checkout of the book in a temporary folder."""

import pytest


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return `write(name, text) -> root`; the folder is the working folder meanwhile."""
    (tmp_path / "data" / "claims").mkdir(parents=True)
    (tmp_path / "_toc.yml").write_text("format: jb-book\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCISPACES_ROOT", raising=False)

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return tmp_path

    return write
