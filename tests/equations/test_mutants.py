"""Every wrong version of every formula must fail one of that formula's checks."""

import functools

import pytest
import tests.equations.zlpr
from tests.equations import mutation
from tests.equations.zlpr import formulas as zlpr_formulas

CHAPTERS = {"zlpr": (tests.equations.zlpr, zlpr_formulas)}

# Mutants that compute the same thing, each with the reason why.
EQUIVALENT: dict[str, dict[str, str]] = {
    "zlpr-generating-function": {
        "+4:37 1 -> 2": "no n + 1 of n labels exist: the added term is an empty sum"
    },
    "zlpr-newton": {"+2:25 j - 1 -> j + 1": "(-1)^(j - 1) and (-1)^(j + 1) are the same sign"},
    "zlpr-bce-product": {
        "+5:60 1 -> 2": "no n + 1 of n labels exist: the added term is an empty sum"
    },
    "zlpr-stable": {"+1:18 0 -> 1": "the identity holds for every m, and 1 is as safe as 0"},
    "zlpr-choices-soft": {"+1:19 0 -> 1": "every choice has the same number of options"},
    "zlpr-choices-minimum": {"+1:20 0 -> 1": "every choice has the same number of options"},
}


@functools.cache
def _chapter(chapter):
    package, module = CHAPTERS[chapter]
    return module, mutation.formulas_of(module), mutation.checks_of(package)


LABELS = [(chapter, label) for chapter in CHAPTERS for label in _chapter(chapter)[1]]


@pytest.mark.parametrize(("chapter", "label"), LABELS, ids=[label for _, label in LABELS])
def test_every_mutant_of_the_formula_fails_a_check(chapter, label, record_property):
    module, formulas, checks = _chapter(chapter)
    equivalent = EQUIVALENT.get(label, {})
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


@pytest.mark.parametrize("label", EQUIVALENT)
def test_listed_equivalents_exist(label):
    _, formulas, _ = _chapter("zlpr")
    found = {mutant.description for mutant in mutation.mutants(formulas[label])}
    assert set(EQUIVALENT[label]) <= found


def test_an_unmutated_formula_survives_and_a_wrong_one_does_not():
    module, _, checks = _chapter("zlpr")
    right = module.zlpr_value_at_zero
    assert mutation.survives("zlpr-value-at-zero", right, module, checks["zlpr-value-at-zero"])
    assert not mutation.survives(
        "zlpr-value-at-zero", lambda p, n: right(p, n) + 1e-9, module, checks["zlpr-value-at-zero"]
    )
    assert module.zlpr_value_at_zero is right
