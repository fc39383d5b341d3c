"""Mutants of this chapter's formulas that compute the same thing, each with the reason why."""

EQUIVALENT = {
    "logit-adjustment-binary-loss": {
        "+1:62 -scale * score * sign -> -scale * score / sign": "1 / sign = sign for a sign"
    },
}
