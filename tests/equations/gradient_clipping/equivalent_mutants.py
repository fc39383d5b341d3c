"""Mutants of this chapter's formulas that compute the same thing, each with the reason why."""

EQUIVALENT = {
    "gradient-clipping-huber": {
        "+1:7 abs(x) <= threshold -> abs(x) < threshold": "the two branches meet at the threshold"
    },
    "gradient-clipping-symmetric": {
        "+2:17 g + sign * n -> g - sign * n": "both signs are added, in either order"
    },
}
