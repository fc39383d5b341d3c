"""The rules for a chapter's text, each broken on purpose."""

from pathlib import Path

import pytest

from scispaces.book.lint import checked_labels, lint_chapter, lint_docstrings, typed_numbers

HEADER = "---\nscispaces: {title: A chapter}\nversion: 1.16\n---\n"


def findings(tmp_path, text, checked=frozenset({"zlpr-loss"})):
    path = tmp_path / "zlpr.md"
    path.write_text(HEADER + text)
    return [(finding.line, finding.message) for finding in lint_chapter(path, checked)]


@pytest.mark.parametrize(
    "text",
    [
        "The error is 0.25 here.",
        "The error is −0.25 here.",
        "It took $1.5$ seconds.",
        "$$ x = 0.5 $$ (zlpr-loss)",
        "It needs 340,168 steps.",
        "It needs $340{,}168$ steps.",
        "A share of 12 % was lost.",
        r"A share of $12\%$ was lost.",
        "It is 12% better.",
        "It is 3 × faster.",
    ],
)
def test_a_typed_result_is_found(tmp_path, text):
    assert [line for line, _ in findings(tmp_path, text)] == [5]


@pytest.mark.parametrize(
    "text",
    [
        "The error is {num}`zlpr/error:.2f`, at $x = {num}`zlpr/error`$.",
        "The rate is {given}`0.25`, or $\\given{0.25}$.",
        "```{code-cell} ipython3\nrate = 0.25\n```",
        "```python\nrate = 0.25\n```",
        "Use `rate=0.25`; see [a page](https://example.org/1.5) and arXiv:2208.02955.",
        "On 2020-04-25, three of ten examples, at $x = 10$ and $2^{10}$.",
        "It runs on torch 2.13.0.",
        "# 1.2 A numbered heading",
    ],
)
def test_inputs_code_and_references_pass(tmp_path, text):
    assert findings(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$$ x = y $$", "must have a label"),
        ("$$ x = y $$ (eq-loss)", "must be 'zlpr-' and words"),
        ("$$ x = y $$ (zlpr-loss2)", "must be 'zlpr-' and words"),
        ("$$ x = y $$ (zlpr-other)", "must have a check"),
    ],
)
def test_a_wrong_label_is_found(tmp_path, text, message):
    [(line, found)] = findings(tmp_path, text)
    assert line == 5
    assert message in found


def test_a_label_used_twice_is_found(tmp_path):
    text = "$$ x = y $$ (zlpr-loss)\n\n$$ x = z $$ (zlpr-loss)\n"
    assert [message for _, message in findings(tmp_path, text)] == [
        "a label must be unique: zlpr-loss"
    ] * 2


def test_line_numbers_are_those_of_the_file():
    assert list(typed_numbers("one\n\ntwo 0.5\n")) == [(3, "0.5")]


def test_checked_labels_are_read_from_marks(tmp_path):
    (tmp_path / "test_a.py").write_text(
        'import pytest\n\n@pytest.mark.equation("zlpr-a")\n@pytest.mark.equation("zlpr-b")\n'
        "def test_a(): pass\n"
    )
    assert checked_labels(Path(tmp_path)) == {"zlpr-a", "zlpr-b"}


def test_a_docstring_that_cites_an_unknown_label_is_found(tmp_path):
    path = tmp_path / "losses.py"
    path.write_text('"""A loss.\n\n(book: `zlpr-loss` for hard, `zlpr-lost` for soft targets)\n"""')
    assert [(found.line, found.message) for found in lint_docstrings(path, {"zlpr-loss"})] == [
        (3, "cites a label that no chapter shows: zlpr-lost")
    ]
