"""What is compared, with what budget: the tasks of the quick and of the full profile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scispaces.studies.clipping_tasks import Config, LanguageConfig, VisionConfig
from scispaces.studies.clipping_training import METHODS, Method, Schedule, Setting


@dataclass(frozen=True)
class Comparison:
    """One task, compared under every method.

    Attributes:
        config: the model and its data.
        schedule: of a training whose smoothness is probed; the choice of the settings does not
            probe.
        seeds: of the repetitions.
        steps: for none; lengths for normalised.
        clipped: pairs of step and threshold for hard and soft.
        methods: which are compared.
        variants: names of other steps, and how many times the tuned step each is.
        varied: the methods that are also trained with these, with all seeds.
    """

    config: Config
    schedule: Schedule
    seeds: Sequence[int]
    steps: Sequence[float]
    lengths: Sequence[float]
    clipped: Sequence[tuple[float, float]]
    methods: Sequence[Method] = METHODS
    variants: Mapping[str, float] = field(default_factory=dict)
    varied: Sequence[Method] = ()

    def settings(self, method: Method) -> list[Setting]:
        """What a method may choose from, equally many for every method."""
        if method in ("hard", "soft"):
            return [Setting(method, step, threshold) for step, threshold in self.clipped]
        return [
            Setting(method, s) for s in (self.lengths if method == "normalised" else self.steps)
        ]


def _pairs(steps: Sequence[float], thresholds: Sequence[float]) -> tuple[tuple[float, float], ...]:
    return tuple((step, threshold) for step in steps for threshold in thresholds)


def _powers(first: float, number: int, ratio: float = 2.0) -> tuple[float, ...]:
    return tuple(first * ratio**power for power in range(number))


WORDS = LanguageConfig(
    "penn-treebank",
    "words",
    most_tokens=1000,
    embedding=32,
    hidden=64,
    layers=2,
    streams=10,
    window=25,
    probe_streams=10,
    evaluation_tokens=16384,
)
CHARACTERS = LanguageConfig(
    "penn-treebank",
    embedding=32,
    hidden=64,
    layers=2,
    streams=16,
    window=32,
    probe_streams=16,
    evaluation_tokens=16384,
)
LANGUAGE: dict[str, Any] = {
    "steps": _powers(2.0, 8, 2**0.5),
    "lengths": _powers(0.5, 8, 2**0.5),
    "clipped": _pairs((8.0, 16.0, 32.0, 64.0), (0.05, 0.15)),
    # The best step for the seed of the tuning may be too long for another seed.
    "variants": {"half": 0.5},
    "varied": ("none",),
}
VISION: dict[str, Any] = {
    "steps": _powers(0.05, 8, 2**0.6),
    "lengths": _powers(0.02, 8, 2**0.6),
    "clipped": _pairs((0.2, 0.4, 0.8, 1.6), (0.25, 1.0)),
    "variants": {"small": 1 / 8, "large": 4.0},
    "varied": ("none", "hard"),
}
FULL = {
    "penn-treebank-characters": Comparison(
        CHARACTERS, Schedule(400, 20, 12, 5), seeds=range(5), **LANGUAGE
    ),
    "fashion-mnist": Comparison(
        VisionConfig("fashion-mnist", 5000, 2000, probe_rows=200),
        Schedule(300, 20, 12, 5),
        seeds=range(5),
        **VISION,
    ),
    "digits": Comparison(
        VisionConfig(probe_rows=200),
        Schedule(300, 20, 12, 5),
        seeds=range(5),
        **VISION,
    ),
    "data-descriptions": Comparison(
        LanguageConfig(), Schedule(300, 20, 12, 5), seeds=range(5), **LANGUAGE
    ),
    "penn-treebank-words": Comparison(WORDS, Schedule(300, 20, 12, 5), seeds=range(5), **LANGUAGE),
    "penn-treebank-characters-shallow": Comparison(
        replace(CHARACTERS, layers=1), Schedule(400, 20, 12, 5), seeds=range(5), **LANGUAGE
    ),
    "wikitext-2-words": Comparison(
        replace(WORDS, data_set="wikitext-2"),
        Schedule(300, 20, 12, 5),
        seeds=range(3),
        **LANGUAGE,
    ),
}
QUICK = {
    "data-descriptions": Comparison(
        LanguageConfig(window=16),
        Schedule(160, 8, 8, 4),
        seeds=range(3),
        steps=_powers(2.0, 6, 2**0.75),
        lengths=_powers(0.5, 6, 2**0.75),
        clipped=_pairs((4.0, 8.0, 16.0), (0.1, 0.3)),
        methods=("none", "hard", "soft"),
    ),
    "digits": Comparison(
        VisionConfig(probe_rows=150),
        Schedule(160, 8, 8, 4),
        seeds=range(3),
        steps=_powers(0.02, 6),
        lengths=_powers(0.005, 6),
        clipped=_pairs((0.1, 0.3, 0.9), (0.25, 1.0)),
        methods=("none", "hard"),
    ),
}
PROFILES = {"quick": QUICK, "full": FULL}
