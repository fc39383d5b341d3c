"""Mutants of this chapter's formulas that compute the same thing, each with the reason why."""

EQUIVALENT = {
    "weight-scale-shift-perturbation": {
        "+1:13 a + b -> a - b": "the change for -e is minus the change for e, and as long"
    },
}
