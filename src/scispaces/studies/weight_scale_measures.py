"""What is measured of trained bias-free networks: norms, Jacobians, margins, robustness."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from scispaces.optim import balance_weight_scale_
from scispaces.studies.weight_scale_attacks import (
    Scores,
    fast_gradient,
    margins,
    projected_gradient,
    share_right,
)
from scispaces.studies.weight_scale_data import Part
from scispaces.studies.weight_scale_networks import Architecture, Weights, squared_norms

LINF_RADII = (0.01, 0.02, 0.04, 0.08, 0.12, 0.16)
L2_RADII = (0.25, 0.5, 1.0, 2.0)
NOISE = (0.1, 0.2, 0.4, 0.8)
# The radius at which settings are chosen for robustness, and at which the attacks are checked.
MIDDLE_RADIUS = 0.04
STEPS = 10
MORE_STEPS, RESTARTS = 50, 2
TEMPERATURES = torch.logspace(-1.5, 1.5, 61, dtype=torch.float64)

Columns = dict[str, list[float] | list[str]]


def joined(values: Tensor) -> list[str]:
    """One cell for each network, of the numbers in its row, four significant digits each.

    Example:
        >>> joined(torch.tensor([[0.5, 123456.0]]))
        ['0.5;1.235e+05']
    """
    return [";".join(f"{value:.4g}" for value in row) for row in values.tolist()]


def jacobian_norms(scores: Scores, x: Tensor) -> Tensor:
    """Largest singular value of the Jacobian of the scores at every input, `(…, rows)`.

    Exact, by one backward pass for each class.
    """
    x = x.detach().requires_grad_(True)
    found = scores(x)
    rows = [
        torch.autograd.grad(found[..., score].sum(), x, retain_graph=True)[0]
        for score in range(found.shape[-1])
    ]
    jacobian = torch.stack(rows, dim=-2).double()
    gram = jacobian @ jacobian.transpose(-1, -2)
    return torch.linalg.eigvalsh(gram)[..., -1].clamp_min(0).sqrt()


def mean_cross_entropy(scores: Tensor, y: Tensor) -> Tensor:
    """Of each network, `(networks,)`."""
    networks = len(scores)
    losses = cross_entropy(scores.flatten(0, 1).double(), y.flatten(), reduction="none")
    return losses.view(networks, -1).mean(1)


def best_temperature(scores: Tensor, y: Tensor) -> Tensor:
    """What the scores must be divided by for the smallest cross-entropy, `(networks,)`."""
    tried = torch.stack([mean_cross_entropy(scores / value, y) for value in TEMPERATURES])
    return TEMPERATURES[tried.argmin(0)]


def balanced_squares(architecture: Architecture, weights: Weights) -> Tensor:
    """Sum of squares of each network after `balance_weight_scale_`, `(networks,)`."""
    totals = []
    for network in range(len(weights[0])):
        chain = architecture.chain(weights, network).double()
        balance_weight_scale_(chain)
        totals.append(sum(float(each.detach().square().sum()) for each in chain.parameters()))
    return torch.tensor(totals, dtype=torch.float64)


def norms(architecture: Architecture, weights: Weights) -> Columns:
    """Norms of the layers and of the whole, for each network.

    Returns:
        layer_norms: of each layer, joined;
        squares, balanced_squares: sum of their squares, and the same after balancing;
        frobenius_product, spectral_product: of the norms of the weights, and of the layers as
            linear maps.
    """
    squared = squared_norms(weights).double()
    return {
        "layer_norms": joined(squared.sqrt()),
        "squares": squared.sum(1).tolist(),
        "balanced_squares": balanced_squares(architecture, weights).tolist(),
        "frobenius_product": squared.sqrt().prod(1).tolist(),
        "spectral_product": architecture.operator_norms(weights).double().prod(1).tolist(),
    }


def quality(architecture: Architecture, weights: Weights, validation: Part, test: Part) -> Columns:
    """How well each network decides on test rows.

    Returns:
        accuracy, cross_entropy; cross_entropy_rescaled: of scores divided by the number that is
        best on the validation rows, temperature; noise: accuracy under Gaussian noise of the
        deviations `NOISE`, joined.
    """
    with torch.no_grad():
        scores = architecture.scores(weights, test.x)
        temperature = best_temperature(architecture.scores(weights, validation.x), validation.y)
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(test.x.shape, generator=generator)
        noisy = [architecture.scores(weights, test.x + level * noise) for level in NOISE]
    return {
        "accuracy": share_right(margins(scores, test.y)).tolist(),
        "cross_entropy": mean_cross_entropy(scores, test.y).tolist(),
        "cross_entropy_rescaled": mean_cross_entropy(
            scores / temperature[:, None, None], test.y
        ).tolist(),
        "temperature": temperature.tolist(),
        "noise": joined(torch.stack([share_right(margins(each, test.y)) for each in noisy], 1)),
    }


def sensitivity(architecture: Architecture, weights: Weights, rows: Part) -> Columns:
    """Margins and Jacobians of each network.

    Returns:
        margin: median; margin_over_frobenius, margin_over_spectral: the same over the product of
        the norms; jacobian, jacobian_largest: mean and largest spectral norm of the Jacobian;
        margin_over_jacobian: median over the rows of margin / norm; tightness: largest norm over
        the product of the norms of the layers as linear maps.
    """

    def scores(x: Tensor) -> Tensor:
        return architecture.scores(weights, x)

    with torch.no_grad():
        margin = margins(scores(rows.x), rows.y).double()
    jacobian = jacobian_norms(scores, rows.x)
    frobenius = squared_norms(weights).double().sqrt().prod(1)
    spectral = architecture.operator_norms(weights).double().prod(1)
    middle = margin.median(1).values
    largest = jacobian.amax(1)
    return {
        "margin": middle.tolist(),
        "margin_over_frobenius": (middle / frobenius).tolist(),
        "margin_over_spectral": (middle / spectral).tolist(),
        "jacobian": jacobian.mean(1).tolist(),
        "jacobian_largest": largest.tolist(),
        "margin_over_jacobian": (margin / jacobian.clamp_min(1e-30)).median(1).values.tolist(),
        "tightness": (largest / spectral).tolist(),
    }


def robustness(architecture: Architecture, weights: Weights, rows: Part, active: Tensor) -> Columns:
    """Accuracy of each network under attacks, the radii joined, clean accuracy first.

    Args:
        architecture, weights: the networks.
        rows: of each network.
        active: 1 for the pixels that some training row of the network has, 0 for the idle ones,
            `(networks, pixels)`.

    Returns:
        fgsm, pgd: over `LINF_RADII`; pgd_l2: over `L2_RADII`; fgsm_cross_entropy: of the attack
        that can stand still; pgd_more: at `MIDDLE_RADIUS` with more steps and restarts;
        pgd_masked: at `MIDDLE_RADIUS`, of the network behind a mask that blackens idle pixels,
        on which no training row says anything, with accuracy_masked of the same rows.
    """

    def scores(x: Tensor) -> Tensor:
        return architecture.scores(weights, x)

    x, y = rows.x, rows.y
    with torch.no_grad():
        clean = share_right(margins(scores(x), y))
    fast = [fast_gradient(scores, x, y, radius) for radius in LINF_RADII]
    naive = [fast_gradient(scores, x, y, r, objective="cross_entropy") for r in LINF_RADII]
    slow = [projected_gradient(scores, x, y, r, "linf", steps=STEPS) for r in LINF_RADII]
    round_ = [projected_gradient(scores, x, y, r, "l2", steps=STEPS) for r in L2_RADII]
    more = projected_gradient(
        scores, x, y, MIDDLE_RADIUS, "linf", steps=MORE_STEPS, restarts=RESTARTS
    )

    def masked(inputs: Tensor) -> Tensor:
        return scores(inputs * active.unsqueeze(1))

    with torch.no_grad():
        behind = share_right(margins(masked(x), y))
    behind_attack = projected_gradient(masked, x, y, MIDDLE_RADIUS, "linf", steps=STEPS)

    def curve(found: list[Tensor]) -> list[str]:
        return joined(torch.stack([clean, *map(share_right, found)], dim=1))

    return {
        "fgsm": curve(fast),
        "fgsm_cross_entropy": curve(naive),
        "pgd": curve(slow),
        "pgd_l2": curve(round_),
        "pgd_more": share_right(more).tolist(),
        "accuracy_masked": behind.tolist(),
        "pgd_masked": share_right(behind_attack).tolist(),
    }


def glance(architecture: Architecture, weights: Weights, rows: Part, attacked: int) -> Tensor:
    """Accuracy, cross-entropy and accuracy under attack, `(networks, 3)`, for choosing.

    The attack has `MIDDLE_RADIUS` and the first `attacked` rows. Networks whose scores are not
    finite count as always wrong.
    """

    def scores(x: Tensor) -> Tensor:
        return architecture.scores(weights, x).nan_to_num(0.0, 0.0, 0.0)

    few = rows.first(attacked)
    with torch.no_grad():
        found = scores(rows.x)
    attack = projected_gradient(scores, few.x, few.y, MIDDLE_RADIUS, "linf", steps=STEPS)
    finite = torch.stack([w.flatten(1).isfinite().all(1) for w in weights]).all(0)
    accuracy = share_right(margins(found, rows.y)) * finite
    losses = mean_cross_entropy(found, rows.y).clamp_max(math.log(1e30))
    return torch.stack([accuracy, losses, share_right(attack) * finite], dim=1)
