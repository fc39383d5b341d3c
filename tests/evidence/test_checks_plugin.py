"""The pytest plugin that says which test checks which equation."""

import json

import pytest

pytest_plugins = ["pytester"]

CHECKS = '''
import functools
import pytest
from hypothesis import given, strategies as st

@pytest.mark.equation("zlpr-loss")
@pytest.mark.equation("zlpr-factors")
def test_holds():
    """The loss equals its factors."""
    assert 1 + 1 == 2

@pytest.mark.discrepancy("naive-form")
def test_is_broken():
    """The naive form overflows."""
    assert 1 + 1 == 3

def twice(check):
    @functools.wraps(check)
    def wrapped(*arguments, **named):
        check(*arguments, **named)
        check(*arguments, **named)
    return wrapped

@pytest.mark.equation("zlpr-bound")
@given(number=st.integers())
@twice
def test_decorated(number):
    """The bound holds."""
    assert number == number

def test_without_mark():
    assert True
'''


@pytest.fixture
def outcomes(pytester):
    pytester.makeconftest('pytest_plugins = ["scispaces.evidence.checks"]')
    pytester.makeini(
        "[pytest]\nmarkers =\n    equation(label): checks\n    discrepancy(identifier): checks\n"
    )
    pytester.makepyfile(test_checks=CHECKS)
    pytester.runpytest_subprocess("--checks-json", "out/checks.json").assert_outcomes(
        passed=3, failed=1
    )
    return json.loads((pytester.path / "out/checks.json").read_text())


def test_every_marked_test_is_listed_with_its_outcome(outcomes):
    assert set(outcomes["equations"]) == {"zlpr-loss", "zlpr-factors", "zlpr-bound"}
    [check] = outcomes["equations"]["zlpr-loss"]
    assert check["says"] == "The loss equals its factors."
    assert check["outcome"] == "passed"
    assert (check["file"], check["line"]) == ("test_checks.py", 5)
    assert "assert 1 + 1 == 2" in check["source"]
    assert outcomes["discrepancies"]["naive-form"][0]["outcome"] == "failed"


def test_a_decorated_check_shows_its_own_source(outcomes):
    [check] = outcomes["equations"]["zlpr-bound"]
    assert check["says"] == "The bound holds."
    assert "assert number == number" in check["source"]
    assert "wrapped" not in check["source"]


def test_a_check_without_a_sentence_is_refused(pytester):
    pytester.makeconftest('pytest_plugins = ["scispaces.evidence.checks"]')
    pytester.makeini("[pytest]\nmarkers =\n    equation(label): checks\n")
    pytester.makepyfile("import pytest\n@pytest.mark.equation('a')\ndef test_silent(): assert True")
    result = pytester.runpytest_subprocess("--checks-json", "checks.json")
    result.stderr.fnmatch_lines(["*must say what it checks*"])
    assert result.ret != 0
