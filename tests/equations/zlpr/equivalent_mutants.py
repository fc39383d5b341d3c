"""Mutants of this chapter's formulas that compute the same thing, each with the reason why."""

EQUIVALENT = {
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
