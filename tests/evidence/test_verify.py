"""`verify` finds every way a promise can be broken; each is broken here on purpose."""

import math

import pytest

from scispaces.evidence import Claim
from scispaces.evidence.verify import verify

CLAIMS = {
    "zlpr/one": Claim("zlpr/one", "One.", "rounding", 1.0, tolerance=0.1),
    "zlpr/two": Claim("zlpr/two", "Two.", "interval", [1, 3], test="t-interval, 95 %"),
    "other/one": Claim("other/one", "Elsewhere.", "exact", 1),
}


def entry(value, **more):
    return {"value": value, "seeds": None, "interval": None, "state": "verified", **more}


def problems(records, claims=CLAIMS):
    results = {"zlpr": {"records": records}}
    return {trouble.id: trouble.problem for trouble in verify(claims, results, ["zlpr"])}


GOOD = {"zlpr/one": entry(1.05), "zlpr/two": entry(2.0, seeds=[0, 1], interval=[1.5, 2.5])}


def test_kept_promises_are_no_trouble():
    assert problems(GOOD) == {}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"zlpr/one": entry(1.2)}, {"zlpr/one": "out of tolerance"}),
        ({"zlpr/one": entry(math.nan)}, {"zlpr/one": "not finite"}),
        ({"zlpr/three": entry(3)}, {"zlpr/three": "never claimed"}),
        ({"zlpr/two": entry(2.0, interval=[1, math.nan])}, {"zlpr/two": "interval not finite"}),
        (
            {"zlpr/one": entry(1.0, seeds=[0])},
            {"zlpr/one": "has seeds, but its claim names no `test`"},
        ),
    ],
)
def test_a_broken_promise_is_named(change, expected):
    assert problems(GOOD | change) == expected


def test_a_claim_never_recorded_is_trouble():
    assert problems({"zlpr/one": entry(1.0)}) == {"zlpr/two": "never recorded"}


def test_a_chapter_that_was_not_executed_is_trouble():
    [trouble] = verify(CLAIMS, {}, ["zlpr"])
    assert trouble.problem == "no results: the notebook was not executed"


def test_the_table_shows_expected_got_tolerance_and_published():
    published = {"value": 0.9, "source": "paper", "where": "Table 2"}
    claim = Claim("zlpr/one", "One.", "rounding", 1.0, tolerance=0.1, published=published)
    [trouble] = verify(
        {"zlpr/one": claim}, {"zlpr": {"records": {"zlpr/one": entry(2.0)}}}, ["zlpr"]
    )
    assert (trouble.expected, trouble.got, trouble.tolerance) == ("1.0", "2", "0.1")
    assert trouble.published == "0.9"
