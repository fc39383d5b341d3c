"""How many candidates a step of search rests on, and how that falls with the dimension."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import torch

from scispaces.optim import MLEGuidedSearch
from scispaces.studies.sampling_classifiers import Rows, cross_entropy, decisions, error

Row = dict[str, Any]
DIMENSIONS = (1, 3, 10, 30, 100, 300, 1000)
REFERENCES = ("flat", "proposal")
ROWS = 400


def separated_rows(dimension: int, seed: int) -> Rows:
    """Two round clouds, their means 2 apart, features in the unit in which a row has norm 1."""
    generator = np.random.default_rng(seed)
    y = generator.integers(2, size=ROWS)
    x = generator.normal(size=(ROWS, dimension))
    x[:, 0] += np.where(y == 1, 1.0, -1.0)
    return Rows(torch.from_numpy(x / np.sqrt(dimension)).float(), torch.from_numpy(y))


def _error(weights: torch.Tensor, rows: Rows) -> float:
    return error(decisions(weights, rows), rows)


def effective_sizes(
    dimensions: Iterable[int] = DIMENSIONS,
    seeds: Iterable[int] = range(10),
    *,
    candidates: int = 16,
    temperature: float = 0.03,
    noise: float = 1.0,
    guide_rate: float = 10.0,
    guided_share: float = 0.5,
) -> list[Row]:
    """One step of search for the error of a linear classifier, from weights of 0.

    Scores change by about `noise` whatever the dimension, so the task loss does too; only the
    densities that the flat reference divides by change.

    Args:
        dimensions: numbers of weights.
        seeds: of the rows and the candidates.
        candidates, temperature, noise, guide_rate, guided_share: of `MLEGuidedSearch`; absolute
            noise.

    Returns:
        One row per dimension, reference (`loss`) and seed: ess, the effective sample size;
        largest_weight; farthest, 1 where the largest weight is that of the candidate with the
        lowest density under the proposal; best, 1 where it is that of a candidate with the least
        task loss; guided_weight, the sum over guided candidates.
    """
    rows = []
    chosen = list(seeds)
    for dimension in dimensions:
        for reference in REFERENCES:
            for seed in chosen:
                data = separated_rows(dimension, seed)
                weights = torch.nn.Parameter(torch.zeros(dimension, 1))
                search = MLEGuidedSearch(
                    [weights],
                    temperature=temperature,
                    candidates=candidates,
                    noise=noise,
                    noise_scale="absolute",
                    guide_rate=guide_rate,
                    guided_share=guided_share,
                    reference="flat" if reference == "flat" else "proposal",
                    generator=torch.Generator().manual_seed(seed),
                )
                cross_entropy(weights, data).backward()
                found = search.search(partial(_error, weights, data))
                heaviest = int(found.weights.argmax())
                rows.append(
                    {
                        "data_set": "two-clouds",
                        "model": f"linear-{dimension}",
                        "loss": reference,
                        "seed": seed,
                        "dimension": dimension,
                        "ess": float(found.effective_sample_size),
                        "largest_weight": float(found.weights.max()),
                        "farthest": int(heaviest == int(found.log_proposal.argmin())),
                        "best": int(found.losses[heaviest] == found.losses.min()),
                        "guided_weight": float(found.weights[found.guided].sum()),
                    }
                )
    return rows
