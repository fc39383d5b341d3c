"""Mutants of this chapter's formulas that compute the same thing, each with the reason why."""

EQUIVALENT = {
    "sampling-optimisation-policy-gradient": {
        "+2:13 cost - baseline -> cost + baseline": "the slopes have mean zero"
    },
}
