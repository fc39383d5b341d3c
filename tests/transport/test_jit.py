"""Compiled code is kept, and never outlives a source it was made from."""

import numba

from scispaces.transport import _jit


def test_the_folder_of_compiled_code_follows_every_source(tmp_path, monkeypatch):
    (tmp_path / "one.py").write_text("1")
    monkeypatch.setattr(_jit, "_HERE", tmp_path)
    monkeypatch.setattr(_jit.config, "CACHE_DIR", "")
    first = _jit._folder()
    assert _jit._folder() == first
    (tmp_path / "one.py").write_text("2")
    second = _jit._folder()
    (tmp_path / "two.py").write_text("")
    assert len({first, second, _jit._folder()}) == 3


def test_the_settings_of_numba_are_left_as_they_were():
    before = numba.config.CACHE_DIR

    @_jit.kernel()
    def double(number):
        return 2 * number

    assert double(21) == 42
    assert before == numba.config.CACHE_DIR
