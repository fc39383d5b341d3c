"""The ways to train a translator for its task loss: what each does with a batch.

The task loss is the mean edit distance of the greedy outputs of a batch from their references, or
one minus their mean smoothed BLEU. An output without an end counts with all its symbols. Every
method makes the same number of updates by Adam (random search moves without it) and decodes the
same number of outputs in each; `likelihood` decodes none and makes twice as many updates:

- likelihood: more of the training before;
- mgs_flat, mgs_proposal: MLE-guided search, its step given to Adam as a gradient is, with the flat
  density or the proposal for reference;
- random: pure random search, the weighted mean of the candidates is the step;
- policy_gradient: REINFORCE, the other samples of the same input for a baseline;
- minimum_risk: expected loss over the distinct samples, their probabilities renormalised.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from scispaces.optim import MLEGuidedSearch, minimum_risk_loss, policy_gradient_loss
from scispaces.optim.guided_search import Reference
from scispaces.studies.sampling_metrics import LOSSES
from scispaces.studies.sampling_sequences import (
    Translator,
    decode,
    likelihood_loss,
    log_likelihoods,
)
from scispaces.studies.sampling_settings import Settings, grid, spread

CLIP = 1.0


@dataclass(frozen=True)
class Scale:
    """Sizes of a sequence task.

    Attributes:
        embedding, hidden: of the translator.
        batch: rows of an update.
        rate: learning rate of the likelihood training.
        starts: after how many updates by likelihood the training for the task loss sets out.
        steady: how many of these updates have the full learning rate; from then on it falls in a
            straight line, to 0 after the last.
        updates: of the training for the task loss.
        looks: how often the validation rows are looked at meanwhile; the best look is kept.
        outputs: decoded for each row of an update: candidates, or samples of an output.
        cap: longest output.
        configurations: tried by each method.
        valid: rows of the validation part that are looked at.
        task: distance or bleu, what the training is for.
    """

    embedding: int
    hidden: int
    batch: int
    rate: float
    starts: Mapping[str, int]
    steady: int
    updates: int
    looks: int
    outputs: int
    cap: int
    configurations: int
    valid: int
    task: str = "distance"


def task_loss(model: Translator, source: Tensor, target: Tensor, scale: Scale) -> float:
    """Mean task loss of the greedy outputs."""
    outputs = decode(model, source, scale.cap).cpu().numpy()
    return float(LOSSES[scale.task](outputs, target.cpu().numpy()).mean())


def likelihood_gradient(model: Translator, source: Tensor, target: Tensor) -> None:
    """Put the gradient of the likelihood loss into the parameters."""
    model.zero_grad()
    likelihood_loss(model, source, target).backward()


def clipped_step(model: Translator, optimiser: torch.optim.Optimizer) -> None:
    """Step along the gradient, its norm at most 1."""
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimiser.step()


Update = Callable[[Tensor, Tensor], dict[str, float]]
METHODS = (
    "likelihood",
    "mgs_flat",
    "mgs_proposal",
    "random",
    "policy_gradient",
    "minimum_risk",
)
_SHARPNESS = 0.5
_REACH = 0.2


def settings_of(method: str, configurations: int) -> list[dict[str, float]]:
    """What a method tries, 4 or 8 settings for every method."""
    half = configurations // 2
    if method == "likelihood":
        return grid(rate=spread(1e-4, 5e-3, configurations))
    if method == "random":
        return grid(noise=spread(3e-4, 3e-3, half), temperature=(0.01, 0.1))
    rates = spread(1e-4, 3e-3, half)
    if method in ("policy_gradient", "minimum_risk"):
        return grid(rate=rates, likelihood=(0.0, 0.3))
    temperatures = (1e-4, 1e-2) if method == "mgs_flat" else (1e-2, 1e-1)
    return grid(rate=rates, temperature=temperatures)


def updates_of(method: str, scale: Scale) -> int:
    """How many updates a method may make."""
    return scale.updates * (2 if method == "likelihood" else 1)


def likelihood_update(model: Translator, settings: Settings, scale: Scale, seed: int) -> Update:
    """More of the same training."""
    optimiser = torch.optim.Adam(model.parameters(), lr=settings["rate"])

    def update(source: Tensor, target: Tensor) -> dict[str, float]:
        likelihood_gradient(model, source, target)
        clipped_step(model, optimiser)
        return {}

    return update


def guided_update(
    model: Translator, settings: Settings, scale: Scale, seed: int, *, reference: Reference
) -> Update:
    """MLE-guided search; its step goes through Adam as a gradient does."""
    optimiser = torch.optim.Adam(model.parameters(), lr=settings["rate"])
    search = MLEGuidedSearch(
        model.parameters(),
        temperature=settings["temperature"],
        candidates=scale.outputs,
        noise=_REACH,
        guide_rate=_REACH,
        reference=reference,
        generator=torch.Generator().manual_seed(seed),
    )

    def update(source: Tensor, target: Tensor) -> dict[str, float]:
        likelihood_gradient(model, source, target)
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        found = search.search(lambda: task_loss(model, source, target, scale))
        for parameter, step in zip(model.parameters(), found.steps, strict=True):
            parameter.grad = -step
        clipped_step(model, optimiser)
        return {
            "ess": float(found.effective_sample_size),
            "guided_weight": float(found.weights[found.guided].sum()),
        }

    return update


def random_update(model: Translator, settings: Settings, scale: Scale, seed: int) -> Update:
    """Random search: as many candidates, none guided; the weighted mean is the step."""
    search = MLEGuidedSearch(
        model.parameters(),
        temperature=settings["temperature"],
        candidates=scale.outputs,
        noise=settings["noise"],
        noise_scale="absolute",
        guided_share=0,
        reference="proposal",
        generator=torch.Generator().manual_seed(seed),
    )

    def update(source: Tensor, target: Tensor) -> dict[str, float]:
        search.step(lambda: task_loss(model, source, target, scale))
        assert search.last is not None
        return {"ess": float(search.last.effective_sample_size)}

    return update


def output_update(
    model: Translator, settings: Settings, scale: Scale, seed: int, *, method: str
) -> Update:
    """Policy gradient or minimum risk: outputs are sampled, not parameters."""
    optimiser = torch.optim.Adam(model.parameters(), lr=settings["rate"])
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)

    def update(source: Tensor, target: Tensor) -> dict[str, float]:
        many = source.repeat_interleave(scale.outputs, 0)
        wanted = target.repeat_interleave(scale.outputs, 0)
        samples = decode(model, many, scale.cap, generator=generator)
        costs = LOSSES[scale.task](samples.cpu().numpy(), wanted.cpu().numpy())
        losses = torch.from_numpy(costs).float().to(device).view(-1, scale.outputs)
        model.zero_grad()
        scores = log_likelihoods(model, many, samples).view(-1, scale.outputs)
        if method == "policy_gradient":
            loss = policy_gradient_loss(scores, losses)
        else:
            first = first_occurrence(samples.view(-1, scale.outputs, samples.shape[1]))
            scores = scores.masked_fill(~first, -torch.inf)
            loss = minimum_risk_loss(scores, losses, sharpness=_SHARPNESS)
        share = settings["likelihood"]
        if share > 0:
            loss = (1 - share) * loss + share * likelihood_loss(model, source, target)
        loss.backward()
        clipped_step(model, optimiser)
        return {}

    return update


def first_occurrence(samples: Tensor) -> Tensor:
    """Whether an output `(rows, outputs, length)` is none of those before it in its row.

    Example:
        >>> first_occurrence(torch.tensor([[[5, 1], [5, 1], [6, 1]]]))
        tensor([[ True, False,  True]])
    """
    same = (samples.unsqueeze(1) == samples.unsqueeze(2)).all(-1)
    return ~same.tril(-1).any(-1)


UPDATES: Mapping[str, Callable[[Translator, Settings, Scale, int], Update]] = {
    "likelihood": likelihood_update,
    "mgs_flat": partial(guided_update, reference="flat"),
    "mgs_proposal": partial(guided_update, reference="proposal"),
    "random": random_update,
    "policy_gradient": partial(output_update, method="policy_gradient"),
    "minimum_risk": partial(output_update, method="minimum_risk"),
}
