"""The methods that train a linear classifier for its task loss.

Every method starts at weights of 0 and may spend the same number of passes over the training rows:
the loss of a candidate costs one, a gradient three (its backward pass costs about twice the
forward one). Its settings, equally many for every method, and the number of its steps are chosen
by the task loss on validation rows.

- cross_entropy, surrogate: Adam on cross-entropy, or on the task loss with probabilities in place
  of decisions (smooth error, soft F1);
- mgs_flat, mgs_proposal: MLE-guided search by `scispaces.optim.MLEGuidedSearch`, with the flat
  density or the proposal for reference;
- guided_flat: the same with guided candidates alone, as the article describes it;
- random_flat, random_proposal: no candidate guided, pure random search. The size of its noise is
  no setting: it scales the weights and all that is to come alike, and decisions do not see it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scispaces.optim import MLEGuidedSearch
from scispaces.optim.guided_search import Reference
from scispaces.studies.sampling_classifiers import (
    SURROGATES,
    TASK_LOSSES,
    Rows,
    Task,
    cross_entropy,
    decisions,
)
from scispaces.studies.sampling_settings import Settings, grid, spread

GRADIENT_PASSES = 3
# Whether candidates are guided, their share, and the reference of the weights.
SEARCHES: Mapping[str, tuple[float, Reference]] = {
    "mgs_flat": (0.5, "flat"),
    "mgs_proposal": (0.5, "proposal"),
    "guided_flat": (1.0, "flat"),
    "random_flat": (0.0, "flat"),
    "random_proposal": (0.0, "proposal"),
}
METHODS = ("cross_entropy", "surrogate", *SEARCHES)


@dataclass(frozen=True)
class Budget:
    """What every method may spend.

    Attributes:
        passes: over the training rows, in each configuration.
        candidates: of a step of search.
        configurations: tried by each method, 4 or 8.
        looks: how often the validation rows are looked at.
    """

    passes: int
    candidates: int
    configurations: int
    looks: int

    def steps(self, method: str) -> int:
        """How many steps the passes allow.

        Example:
            >>> budget = Budget(passes=760, candidates=16, configurations=4, looks=4)
            >>> [budget.steps(name) for name in ("surrogate", "mgs_flat", "random_flat")]
            [253, 40, 47]
        """
        if method not in SEARCHES:
            return self.passes // GRADIENT_PASSES
        return self.passes // (self.candidates + GRADIENT_PASSES * (SEARCHES[method][0] > 0))

    def settings(self, method: str) -> list[dict[str, float]]:
        """What a method tries, equally many for all."""
        half = self.configurations // 2
        if method not in SEARCHES:
            return grid(rate=spread(0.03, 3.0, self.configurations))
        if SEARCHES[method][0] == 0:
            return grid(temperature=spread(0.001, 0.03, half), rate=(1.0, 3.0))
        guides = (3.0, 30.0) if half > 2 else (10.0,)
        return grid(noise=(0.03, 0.3), temperature=(0.003, 0.03), guide_rate=guides)


@dataclass
class Outcome:
    """The weights at the best look, how good they were, and what the searches rested on."""

    weights: Tensor
    valid: float
    steps: int
    curve: list[float]
    sizes: list[float]
    guided: list[float]


def train(
    task: Task, name: str, method: str, settings: Settings, budget: Budget, seed: int
) -> Outcome:
    """Train a classifier by one method.

    Args:
        task: rows of one repetition.
        name: error or f1.
        method: one of `METHODS`.
        settings: one of `budget.settings(method)`.
        budget: what may be spent.
        seed: of the candidates.
    """
    columns = task.classes if task.classes > 2 else 1
    weights = torch.nn.Parameter(torch.zeros(task.train.x.shape[1], columns))
    loss, steps = TASK_LOSSES[name], budget.steps(method)
    looks = {round(at) for at in np.linspace(steps / budget.looks, steps, budget.looks)}
    optimiser, gradient_of = _optimiser(weights, name, method, settings, budget, seed)
    best = Outcome(weights.detach().clone(), np.inf, 0, [], [], [])
    for at in range(1, steps + 1):
        if gradient_of is not None:
            optimiser.zero_grad()
            gradient_of(weights, task.train).backward()
        if isinstance(optimiser, MLEGuidedSearch):
            optimiser.step(lambda: loss(decisions(weights, task.train), task.train))
            assert optimiser.last is not None  # a step leaves it
            best.sizes.append(float(optimiser.last.effective_sample_size))
            best.guided.append(float(optimiser.last.weights[optimiser.last.guided].sum()))
        else:
            optimiser.step()
        if at in looks:
            with torch.no_grad():
                valid = loss(decisions(weights, task.valid), task.valid)
                best.curve.append(loss(decisions(weights, task.train), task.train))
            if valid < best.valid:
                best.weights, best.valid, best.steps = weights.detach().clone(), valid, at
    return best


def _optimiser(
    weights: Tensor, name: str, method: str, settings: Settings, budget: Budget, seed: int
) -> tuple[torch.optim.Optimizer, Callable[[Tensor, Rows], Tensor] | None]:
    """What moves the weights, and the loss whose gradient it wants, if any."""
    if method not in SEARCHES:
        descended = cross_entropy if method == "cross_entropy" else SURROGATES[name]
        return torch.optim.Adam([weights], lr=settings["rate"]), descended
    share, reference = SEARCHES[method]
    search = MLEGuidedSearch(
        [weights],
        lr=settings.get("rate", 1.0),
        temperature=settings["temperature"],
        candidates=budget.candidates,
        noise=settings.get("noise", 1.0),
        noise_scale="absolute",
        guide_rate=settings.get("guide_rate", 0.0),
        guided_share=share,
        reference=reference,
        generator=torch.Generator().manual_seed(seed),
    )
    return search, cross_entropy if share > 0 else None
