"""Mutants of this chapter's formulas that compute the same thing, each with the reason why."""

EQUIVALENT = {
    "imbalance-revisited-f-one-own-threshold": {
        "+1:11 f_one / 2 / (1 - f_one / 2 + f_one / 2)"
        " -> f_one / 2 * (1 - f_one / 2 + f_one / 2)": "the weights sum to 1, and x/1 is x * 1"
    },
    "imbalance-revisited-scaled-margin": {
        "+3:8 k * y -> k / y": "y is 1 or -1, which is its own inverse"
    },
}
