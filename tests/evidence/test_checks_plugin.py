"""The pytest plugin that says which test checks which equation."""

import json

import pytest

pytest_plugins = ["pytester"]

CHECKS = '''
import pytest

@pytest.mark.equation("zlpr-loss")
@pytest.mark.equation("zlpr-factors")
def test_holds():
    """The loss equals its factors."""
    assert 1 + 1 == 2

@pytest.mark.discrepancy("naive-form")
def test_is_broken():
    """The naive form overflows."""
    assert 1 + 1 == 3

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
        passed=2, failed=1
    )
    return json.loads((pytester.path / "out/checks.json").read_text())


def test_every_marked_test_is_listed_with_its_outcome(outcomes):
    assert set(outcomes["equations"]) == {"zlpr-loss", "zlpr-factors"}
    [check] = outcomes["equations"]["zlpr-loss"]
    assert check["says"] == "The loss equals its factors."
    assert check["outcome"] == "passed"
    assert (check["file"], check["line"]) == ("test_checks.py", 3)
    assert "assert 1 + 1 == 2" in check["source"]
    assert outcomes["discrepancies"]["naive-form"][0]["outcome"] == "failed"


def test_a_check_without_a_sentence_is_refused(pytester):
    pytester.makeconftest('pytest_plugins = ["scispaces.evidence.checks"]')
    pytester.makeini("[pytest]\nmarkers =\n    equation(label): checks\n")
    pytester.makepyfile("import pytest\n@pytest.mark.equation('a')\ndef test_silent(): assert True")
    result = pytester.runpytest_subprocess("--checks-json", "checks.json")
    result.stderr.fnmatch_lines(["*must say in its docstring*"])
    assert result.ret != 0
