"""Mutants of this chapter's formulas that compute the same thing, each with the reason why."""

EQUIVALENT: dict[str, dict[str, str]] = {}
