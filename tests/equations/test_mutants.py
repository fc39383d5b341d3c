"""Every wrong version of every formula must fail one of that formula's checks."""

import functools
import importlib
from pathlib import Path

import pytest
from tests.equations import mutation

# Every folder here with transcribed formulas is a chapter.
CHAPTERS = sorted(path.parent.name for path in Path(__file__).parent.glob("*/formulas.py"))


@functools.cache
def _chapter(chapter):
    package = importlib.import_module(f"tests.equations.{chapter}")
    module = importlib.import_module(f"{package.__name__}.formulas")
    return module, mutation.formulas_of(module), mutation.checks_of(package)


def _equivalent(chapter):
    """Mutants that compute the same thing, by label, each with the reason why."""
    name = f"tests.equations.{chapter}.equivalent_mutants"
    return importlib.import_module(name).EQUIVALENT


LABELS = [(chapter, label) for chapter in CHAPTERS for label in _chapter(chapter)[1]]


@pytest.mark.parametrize(("chapter", "label"), LABELS, ids=[label for _, label in LABELS])
def test_every_mutant_of_the_formula_fails_a_check(chapter, label, record_property):
    module, formulas, checks = _chapter(chapter)
    equivalent = _equivalent(chapter).get(label, {})
    original = getattr(module, label.replace("-", "_"))
    assert mutation.survives(label, original, module, checks[label])
    survivors, killed = [], 0
    for mutant in mutation.mutants(formulas[label]):
        if mutant.description in equivalent:
            continue
        if mutation.survives(label, mutation.build(mutant, module), module, checks[label]):
            survivors.append(mutant.description)
        else:
            killed += 1
    record_property("mutants killed", killed)
    record_property("mutants equivalent", len(equivalent))
    assert not survivors
    assert killed > 0


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_formula_is_checked_and_every_check_has_a_formula(chapter):
    _, formulas, checks = _chapter(chapter)
    assert set(formulas) == set(checks)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_listed_equivalents_exist(chapter):
    _, formulas, _ = _chapter(chapter)
    for label, listed in _equivalent(chapter).items():
        found = {mutant.description for mutant in mutation.mutants(formulas[label])}
        assert set(listed) <= found


def test_an_unmutated_formula_survives_and_a_wrong_one_does_not():
    module, _, checks = _chapter("zlpr")
    right = module.zlpr_value_at_zero
    assert mutation.survives("zlpr-value-at-zero", right, module, checks["zlpr-value-at-zero"])
    assert not mutation.survives(
        "zlpr-value-at-zero", lambda p, n: right(p, n) + 1e-9, module, checks["zlpr-value-at-zero"]
    )
    assert module.zlpr_value_at_zero is right
