"""Checks of the entries of the register that belong to the chapter `imbalance-revisited`.

Formulas of other projects are written out again from what they compute, not copied; the versions
are named in data/discrepancies.yml.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import optimize
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from scispaces import losses
from scispaces.studies import binary_separable

ONE, ZERO = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)


def _gradient(function, *scores, dtype=torch.float64):
    leaf = torch.tensor(scores, dtype=dtype, requires_grad=True)
    (gradient,) = torch.autograd.grad(function(leaf).sum(), leaf)
    return gradient.tolist()


def _risk_slope(loss, eta, score):
    """Slope in the score of the expected loss of a label that is on with probability eta."""
    [on] = _gradient(lambda s: loss(s, ONE), score)
    [off] = _gradient(lambda s: loss(s, ZERO), score)
    return eta * on + (1 - eta) * off


def _best_probability(loss, eta):
    score = optimize.brentq(lambda s: _risk_slope(loss, eta, s), -30, 30)
    return 1 / (1 + math.exp(-score))


def _focal_as_typed(scores, targets, gamma, alpha=None):
    """Binary cross-entropy times (1 - p_t)^gamma, with p_t from the sigmoid."""
    p = scores.sigmoid()
    right = p * targets + (1 - p) * (1 - targets)
    entropy = binary_cross_entropy_with_logits(scores, targets, reduction="none")
    weight = 1 if alpha is None else alpha * targets + (1 - alpha) * (1 - targets)
    return weight * entropy * (1 - right) ** gamma


@pytest.mark.discrepancy("imbalance-revisited-alpha-threshold")
def test_the_usual_alpha_puts_the_threshold_at_three_quarters_for_every_exponent():
    """At eta 0.74 the best score is negative and at 0.76 positive, for three exponents."""
    for gamma in (0.5, 2.0, 5.0):

        def loss(s, y, gamma=gamma):
            return _focal_as_typed(s, y, gamma, alpha=0.25)

        assert _best_probability(loss, 0.74) < 0.5 < _best_probability(loss, 0.76)

        def plain(s, y, gamma=gamma):
            return _focal_as_typed(s, y, gamma)

        assert _best_probability(plain, 0.49) < 0.5 < _best_probability(plain, 0.51)


@pytest.mark.discrepancy("imbalance-revisited-sharpness-exponent")
def test_sharpness_is_not_the_exponent():
    """The two losses agree at 1, and at 2 and 5 differ by the factor 2 and 16 at one half."""

    def ratio(value, score):
        x = torch.tensor([score], dtype=torch.float64)
        softened = losses.softened_cross_entropy(x, ONE, sharpness=value)
        return (softened / losses.focal_loss(x, ONE, gamma=value)).item()

    for score in (-3.0, 0.0, 1.5):
        assert ratio(1.0, score) == pytest.approx(1, abs=1e-12)
    assert ratio(2.0, 0.0) == pytest.approx(2)
    assert ratio(5.0, 0.0) == pytest.approx(16)


def _self_adjusting(p, y, alpha, smoothing=1.0):
    v = (1 - p) ** alpha * p
    return 1 - (2 * v * y + smoothing) / (v + y + smoothing)


@pytest.mark.discrepancy("imbalance-revisited-dice-turn")
def test_self_adjusting_dice_turns_round_at_its_optimum():
    """Past one half the slope of a positive is positive; the ends cost the same; negatives too."""
    positive = [_self_adjusting(p, 1, 1.0) for p in (0.0, 0.4, 0.5, 0.6, 1.0)]
    assert positive[0] == positive[4] > positive[1] > positive[2] < positive[3]
    assert positive[1] == pytest.approx(positive[3])
    negative = [_self_adjusting(p, 0, 1.0) for p in (0.0, 0.5, 0.9, 1.0)]
    assert negative[0] == negative[3] == 0
    assert negative[1] > negative[2]
    for alpha in (0.01, 0.1, 0.5):
        found = optimize.minimize_scalar(
            lambda p, alpha=alpha: _self_adjusting(p, 1, alpha),
            bounds=(0.01, 0.9999),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert found.x == pytest.approx(1 / (1 + alpha), abs=1e-6)


@pytest.mark.discrepancy("imbalance-revisited-dice-f-one")
def test_dice_of_one_example_decides_above_one_half_and_f_one_below():
    """With rare positives the best F1 has its threshold below 0.4; at 0.49 Dice is best at an end.

    Without a factor that is the answer no; with one, both ends have the same risk.
    """
    masses = np.full(1000, 1e-3)
    eta = np.linspace(0, 1, 1001)[1:] ** 6
    cut = max(
        eta, key=lambda t: 2 * (masses * eta)[eta > t].sum() / (masses * (eta + (eta > t))).sum()
    )
    assert cut < 0.4
    grid = np.linspace(0, 1, 2001)
    for alpha in (0.0, 0.1, 1.0):
        for smoothing in (0.01, 1.0, 10.0):
            on = _self_adjusting(grid, 1, alpha, smoothing)
            off = _self_adjusting(grid, 0, alpha, smoothing)
            low = 0.49 * on + 0.51 * off
            assert low.argmin() in (0, 2000)
            assert (low[0] == pytest.approx(low[2000])) == (alpha > 0)
            assert grid[(0.8 * on + 0.2 * off).argmin()] == pytest.approx(1 / (1 + alpha), abs=1e-3)


@pytest.mark.discrepancy("imbalance-revisited-dice-nan")
def test_the_typed_dice_formula_has_no_gradient_at_a_certain_score():
    """At a float32 score of 20 and of 40 the gradient is NaN; the package's is finite."""
    for score in (20.0, 40.0):
        [typed] = _gradient(
            lambda s: _self_adjusting(s.sigmoid(), 1, 0.1), score, dtype=torch.float32
        )
        assert math.isnan(typed)
        [safe] = _gradient(
            lambda s: losses.self_adjusting_dice_loss(s, torch.ones(1), alpha=0.1),
            score,
            dtype=torch.float32,
        )
        assert abs(safe) < 0.1
    [ordinary] = _gradient(lambda s: _self_adjusting(s.sigmoid(), 1, 0.1), 5.0, dtype=torch.float32)
    assert math.isfinite(ordinary)


@pytest.mark.discrepancy("imbalance-revisited-dice-denominator")
def test_elements_over_the_denominator_of_the_batch():
    """With the batch sum below, the loss tends to 1 and the slope to 0 as the batch grows."""

    def mixed(p, y, smoothing=1e-4):
        numerators = 2 * (p * y).sum(-1) + smoothing
        return (1 - numerators / (p.sum() + y.sum() + smoothing)).mean()

    values, slopes = [], []
    for rows in (1, 10, 1000):
        p = torch.full((rows, 1), 0.7, dtype=torch.float64, requires_grad=True)
        loss = mixed(p, torch.ones(rows, 1, dtype=torch.float64))
        (gradient,) = torch.autograd.grad(loss, p)
        values.append(loss.item())
        slopes.append(-gradient.sum().item())
    alone = 1 - (2 * 0.7 + 1e-4) / (0.7 + 1 + 1e-4)
    assert values[0] == pytest.approx(alone)
    assert values[0] < values[1] < values[2]
    assert values[2] > 0.999
    assert slopes[0] > 9 * slopes[1] > 900 * slopes[2] / 1.1 > 0


@pytest.mark.discrepancy("imbalance-revisited-dice-mining")
def test_mining_of_hard_negatives_is_off_and_misreads_its_operators():
    """keep = 1 keeps nine of ten, keep = 5 keeps three; the condition of the other path raises."""
    scores = torch.arange(1.0, 11.0)

    def kept(keep):
        return int((scores > scores.sort().values[-keep + 1]).sum())

    assert [kept(keep) for keep in (1, 2, 5)] == [9, 0, 3]
    probabilities = torch.tensor([[0.2, 0.8], [0.7, 0.3]])

    def unbracketed():
        return probabilities.argmax(1) == 1 & probabilities[:, 1] >= 0.5

    with pytest.raises((RuntimeError, TypeError)):
        unbracketed()
    bracketed = (probabilities.argmax(1) == 1) & (probabilities[:, 1] >= 0.5)
    assert bracketed.tolist() == [True, False]


@pytest.mark.discrepancy("imbalance-revisited-dice-smoothing")
def test_smoothing_inside_the_doubled_bracket_gives_minus_one():
    """For nothing predicted and nothing there the misplaced form is -1, the right one 0."""
    both, size, smoothing = 0.0, 0.0, 0.5
    assert 1 - 2 * (both + smoothing) / (size + smoothing) == -1
    assert 1 - (2 * both + smoothing) / (size + smoothing) == 0
    zeros = torch.zeros(1, 4)
    assert losses.dice_loss(zeros - 200, zeros, smoothing=smoothing).item() == 0


@pytest.mark.discrepancy("imbalance-revisited-weighted-focal")
def test_exponential_of_a_weighted_cross_entropy_is_a_power_of_the_probability():
    """With weight w the recovered p is p^w: 0.35 for 0.9 at w = 10, and 0.79 for 0.1 at 0.1."""
    for p, weight, seen in ((0.9, 10.0, 0.349), (0.1, 0.1, 0.794)):
        logits = torch.tensor([[math.log(p), math.log(1 - p)]], dtype=torch.float64)
        entropy = torch.nn.functional.cross_entropy(
            logits,
            torch.tensor([0]),
            weight=torch.tensor([weight, 1.0], dtype=torch.float64),
            reduction="none",
        )
        assert torch.exp(-entropy).item() == pytest.approx(seen, abs=5e-4)
        mixed = ((1 - torch.exp(-entropy)) ** 2 * entropy).item()
        right = losses.softmax_focal_loss(
            logits,
            torch.tensor([0]),
            gamma=2.0,
            class_weights=torch.tensor([weight, 1.0], dtype=torch.float64),
        ).item()
        assert right == pytest.approx(weight * (1 - p) ** 2 * -math.log(p))
        assert max(mixed / right, right / mixed) > 10


@pytest.mark.discrepancy("imbalance-revisited-focal-nan")
def test_exponents_below_one_have_no_gradient_at_a_certain_score():
    """At float32 scores of 20 and -20, rightly classified, the typed gradient is NaN."""
    for score, label in ((20.0, torch.ones(1)), (-20.0, torch.zeros(1))):
        [typed] = _gradient(
            lambda s, y=label: _focal_as_typed(s, y, 0.5), score, dtype=torch.float32
        )
        [safe] = _gradient(
            lambda s, y=label: losses.focal_loss(s, y, gamma=0.5), score, dtype=torch.float32
        )
        [hidden] = _gradient(
            lambda s, y=label: _focal_as_typed(s, y, 1.0), score, dtype=torch.float32
        )
        assert math.isnan(typed)
        assert math.isfinite(hidden)
        assert abs(safe) < 1e-8


@pytest.mark.discrepancy("imbalance-revisited-focal-half")
def test_half_precision_silences_a_positive_at_a_score_of_nine():
    """Value and gradient are exactly 0 in float16, and NaN for exponent 0.5; float32 differs."""
    ones = torch.ones(1, dtype=torch.float16)
    score = torch.tensor([9.0], dtype=torch.float16)
    assert _focal_as_typed(score, ones, 2.0).item() == 0
    assert _gradient(lambda s: _focal_as_typed(s, ones, 2.0), 9.0, dtype=torch.float16) == [0.0]
    [small] = _gradient(lambda s: _focal_as_typed(s, ones, 0.5), 9.0, dtype=torch.float16)
    assert math.isnan(small)
    assert losses.focal_loss(score, ones, gamma=2.0).item() > 0


@pytest.mark.discrepancy("imbalance-revisited-focal-confidence")
def test_larger_exponents_pull_probabilities_towards_one_half():
    """For true probabilities 0.9 and 0.2 the best one moves to 1/2 as the exponent grows."""
    for eta in (0.9, 0.2):
        distances = [
            abs(_best_probability(lambda s, y, g=gamma: _focal_as_typed(s, y, g), eta) - 0.5)
            for gamma in (0.0, 0.5, 1.0, 2.0, 5.0)
        ]
        assert distances[0] == pytest.approx(abs(eta - 0.5), abs=1e-9)
        assert all(later < earlier for earlier, later in itertools.pairwise(distances))


@pytest.mark.discrepancy("imbalance-revisited-focal-hard-examples")
def test_values_are_never_above_cross_entropy_and_slopes_are_only_for_hard_examples():
    """On a grid the value is below cross-entropy; the slope exceeds it by 22 % at most."""
    p = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    scores = torch.logit(p).requires_grad_()
    focal = _focal_as_typed(scores, torch.ones_like(scores), 2.0)
    assert (focal < -logsigmoid(scores)).all()
    (slope,) = torch.autograd.grad(focal.sum(), scores)
    ratio = -slope / (1 - p)
    assert 1.22 < ratio.max().item() < 1.23
    assert p[ratio > 1].max().item() == pytest.approx(0.297, abs=1e-3)


@pytest.mark.discrepancy("imbalance-revisited-dice-empty")
def test_an_empty_target_gets_no_signal():
    """All pixels marked on an empty image: zeroed loss and gradient; smoothing alone has one."""

    def zeroed(s, smoothing=0.0):
        p, y = s.sigmoid(), torch.zeros_like(s)
        overlap = (2 * (p * y).sum() + smoothing) / (p.sum() + y.sum() + smoothing).clamp(min=1e-7)
        return (1 - overlap) * (y.sum() > 0)

    scores = [5.0] * 16
    assert zeroed(torch.tensor(scores)).item() == 0
    assert _gradient(zeroed, *scores) == [0.0] * 16

    def unzeroed(s):
        return 1 - 2 * (s.sigmoid() * 0).sum() / s.sigmoid().sum()

    assert unzeroed(torch.tensor(scores)).item() == 1
    assert max(map(abs, _gradient(unzeroed, *scores))) == 0
    smoothed = _gradient(lambda s: losses.dice_loss(s, torch.zeros(16), smoothing=1.0), *scores)
    assert min(smoothed) > 1e-5


@pytest.mark.discrepancy("imbalance-revisited-dice-overflow")
def test_pixel_sums_overflow_in_half_precision():
    """For 512 x 512 probabilities of 1/2 the float16 loss is NaN; the package's is 0.46."""
    scores = torch.zeros(512, 512, dtype=torch.float16)
    generator = torch.Generator().manual_seed(0)
    truth = (torch.rand(512, 512, generator=generator) < 0.59).half()
    p = scores.sigmoid()
    both, size = (p * truth).sum(dtype=torch.float16), (p + truth).sum(dtype=torch.float16)
    assert size.item() == math.inf
    typed = 1 - (2 * both + 1) / (size + 1)
    assert math.isnan(typed.item())
    ours = losses.dice_loss(scores.reshape(1, -1), truth.reshape(1, -1))
    assert ours.item() == pytest.approx(0.459, abs=2e-3)


@pytest.mark.discrepancy("imbalance-revisited-separable-margins")
def test_neither_weights_nor_additive_margins_change_the_limit_and_a_scale_does():
    """Weights and adjustment end at the widest margin, and squared weights go the same way."""
    points, signs = binary_separable.separable_data()
    rows = binary_separable.train_separable(points, signs, iterations=6000, looks=40)
    final = {row["method"]: row for row in rows if row["iteration"] == 6000}
    early = {row["method"]: row for row in rows if row["iteration"] == rows[60]["iteration"]}
    for method in ("weighted", "logit_adjusted"):
        assert final[method]["position"] == pytest.approx(0.5, abs=0.005)
        assert final[method]["angle_to_limit"] < 0.2
        assert early[method]["position"] < 0.4
    plain = final["cross_entropy"]["position"]
    shifts = [plain - final[method]["position"] for method in ("weighted", "logit_adjusted")]
    assert shifts[1] / shifts[0] == pytest.approx(2, abs=0.02)
    for at in {row["iteration"] for row in rows if row["iteration"] >= 36}:
        place = {row["method"]: row["position"] for row in rows if row["iteration"] == at}
        assert place["weighted_squared"] == pytest.approx(place["logit_adjusted"], abs=0.01)
    assert final["scaled"]["position"] == pytest.approx(0.25, abs=0.01)


@pytest.mark.discrepancy("imbalance-revisited-drowning")
def test_forces_of_the_classes_are_equal_once_an_intercept_is_fitted():
    """At zero scores the forces are as 99 to 1, at the fitted intercept they agree."""
    positives, negatives = 10, 990
    assert (negatives * 0.5) / (positives * 0.5) == 99
    start = optimize.brentq(
        lambda b: positives / (1 + math.exp(b)) - negatives / (1 + math.exp(-b)), -10, 10
    )
    p = 1 / (1 + math.exp(-start))
    assert p == pytest.approx(0.01)
    assert positives * (1 - p) == pytest.approx(negatives * p)
