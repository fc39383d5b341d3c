"""Claims: what is promised, and when a value keeps the promise."""

import math

import pytest

from scispaces.evidence import Claim, format_value, load_claims

EXACT = {"kind": "exact", "expected": 3}
ROUNDING = {"kind": "rounding", "expected": 0.5, "tolerance": 1e-3}
INTERVAL = {"kind": "interval", "expected": [0.2, 0.4]}
ORDERING = {"kind": "ordering", "expected": ["a", "b", "c"]}
AT_LEAST = {"kind": "timing", "expected": {"at_least": 15}}
AT_MOST = {"kind": "timing", "expected": {"at_most": 1.5}}


def claim(**entries):
    return Claim(id="zlpr/example", says="A number.", **entries)


@pytest.mark.parametrize(
    ("entries", "kept", "broken"),
    [
        (EXACT, 3, 4),
        (EXACT, 3, 3.0),
        ({"kind": "exact", "expected": True}, True, 1),
        ({"kind": "exact", "expected": "up"}, "up", "down"),
        (ROUNDING, 0.5009, 0.5011),
        (ROUNDING, 0.4991, 0.4989),
        (INTERVAL, 0.2, 0.19),
        (INTERVAL, 0.4, 0.41),
        (ORDERING, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 3, "c": 2}),
        (ORDERING, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 1, "c": 2}),
        (ORDERING, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3, "d": 0}),
        (ORDERING, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2}),
        (AT_LEAST, 15.0, 14.9),
        (AT_MOST, 1.5, 1.6),
    ],
)
def test_a_kept_and_a_broken_value_of_every_kind(entries, kept, broken):
    assert claim(**entries).trouble(kept) is None
    assert claim(**entries).trouble(broken) is not None


@pytest.mark.parametrize("entries", [ROUNDING, INTERVAL, AT_LEAST, AT_MOST])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_trouble(entries, value):
    assert claim(**entries).trouble(value) == "not finite"


def test_a_hidden_nan_is_trouble():
    assert claim(**ORDERING).trouble({"a": 1, "b": 2, "c": math.nan}) == "not finite"


@pytest.mark.parametrize("value", ["0.5", [0.5], {"a": 0.5}, True])
def test_a_value_of_the_wrong_type_is_trouble(value):
    assert "does not fit kind" in claim(**ROUNDING).trouble(value)


@pytest.mark.parametrize(
    "entries",
    [
        {"kind": "nearly", "expected": 1},
        {"kind": "rounding", "expected": 1},
        {"kind": "exact", "expected": 1, "tolerance": 0.1},
        {"kind": "exact", "expected": None},
        {"kind": "rounding", "expected": "1", "tolerance": 0.1},
        {"kind": "interval", "expected": [0.4, 0.2]},
        {"kind": "interval", "expected": 0.2},
        {"kind": "ordering", "expected": ["a"]},
        {"kind": "ordering", "expected": ["a", "a"]},
        {"kind": "timing", "expected": {"around": 2}},
        {"kind": "timing", "expected": 2},
    ],
)
def test_a_malformed_claim_is_refused(entries):
    with pytest.raises(ValueError, match="must"):
        claim(**entries)


def test_the_expectation_reads_as_a_person_would_write_it():
    written = [claim(**entries).expectation() for entries in (EXACT, INTERVAL, ORDERING, AT_LEAST)]
    assert written == ["3", "0.2 to 0.4", "a < b < c", "at least 15"]


CLAIMS = """
chapter: zlpr
claims:
  - {id: zlpr/one, says: One., kind: exact, expected: 1, needs: [multilabel/]}
"""


def test_claims_are_read_by_id(checkout):
    root = checkout("data/claims/zlpr.yml", CLAIMS)
    assert load_claims(root)["zlpr/one"].needs == ("multilabel/",)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("  - {id: zlpr/one, says: Again., kind: exact, expected: 2}", "unique"),
        (
            "  - {id: flooding/one, says: Elsewhere., kind: exact, expected: 2}",
            "begin with 'zlpr/'",
        ),
        ("  - {id: zlpr/two, says: Odd., kind: exact, expected: 2, colour: red}", "colour"),
        ("  - {id: zlpr/two, kind: exact, expected: 2}", "says"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_reason(checkout, line, problem):
    root = checkout("data/claims/zlpr.yml", CLAIMS + line)
    with pytest.raises(ValueError, match=problem):
        load_claims(root)


@pytest.mark.parametrize("value", [[1.0], {"a": 1.0}, None])
def test_a_list_cannot_be_printed_as_one_number(value):
    with pytest.raises(ValueError, match="must be one number or string"):
        format_value(value, "g")
