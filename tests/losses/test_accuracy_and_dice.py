"""What is special to smooth accuracy, faded cross-entropy and the Dice losses."""

import math

import pytest
import torch
import torch.nn.functional as F
from benchmarks import rivals
from tests.losses.draws import draw, with_gradient

from scispaces.losses import (
    dice_loss,
    focal_loss,
    self_adjusting_dice_loss,
    smooth_accuracy_loss,
    soft_f1_loss,
    softened_cross_entropy,
    truncated_cross_entropy,
)


def logit(p):
    return torch.tensor([[math.log(p / (1 - p))]], dtype=torch.float64)


# Accuracy and cross-entropy


def test_smooth_accuracy_at_saturated_scores_counts_the_errors():
    targets = torch.tensor([[1, 1, 0], [0, 1, 0]])
    logits = torch.tensor([[90.0, -90.0, 90.0], [-90.0, 90.0, -90.0]])
    rows = smooth_accuracy_loss(logits, targets, reduction="none")
    torch.testing.assert_close(rows, torch.tensor([2.0, 0.0]))


def test_smooth_accuracy_lacks_signal_where_cross_entropy_has_most():
    positive = torch.ones(1, 1)
    _, slope = with_gradient(smooth_accuracy_loss, logit(0.01), positive)
    _, steep = with_gradient(truncated_cross_entropy, logit(0.01), positive, threshold=1.0)
    assert slope.item() == pytest.approx(-0.0099, rel=1e-12)
    assert steep.item() == pytest.approx(-0.99, rel=1e-12)


def test_truncation_at_one_is_binary_cross_entropy_also_where_p_rounds_to_one():
    logits, targets = draw()
    entropy = F.binary_cross_entropy_with_logits(logits, targets.double(), reduction="sum")
    value = truncated_cross_entropy(logits, targets, threshold=1.0, reduction="sum")
    torch.testing.assert_close(value, entropy)
    far = torch.tensor([[40.0]])
    value, slope = with_gradient(truncated_cross_entropy, far, torch.ones(1, 1), threshold=1.0)
    assert value.item() == pytest.approx(math.exp(-40), rel=1e-6)
    assert slope.item() == pytest.approx(-math.exp(-40), rel=1e-6)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_truncation_jumps_at_its_threshold(threshold):
    positive = torch.ones(1, 1)
    for p, cost, slope in (
        (threshold - 1e-9, -math.log(threshold), threshold - 1),
        (threshold + 1e-9, 0, 0),
    ):
        result = with_gradient(truncated_cross_entropy, logit(p), positive, threshold=threshold)
        assert result[0].item() == pytest.approx(cost, abs=1e-7)
        assert result[1].item() == pytest.approx(slope, abs=1e-7)
    assert truncated_cross_entropy(torch.zeros(1, 1), positive) == 0  # p = 1/2 is right enough


def test_softened_is_focal_for_one_exponent_only():
    logits, targets = draw()
    for sharpness in (1.0, 2.0):
        ours = with_gradient(softened_cross_entropy, logits, targets, sharpness=sharpness)
        focal = with_gradient(focal_loss, logits, targets, gamma=sharpness)
        if sharpness == 1:
            torch.testing.assert_close(ours, focal)
        else:
            assert (ours[0] - focal[0]).abs() > 0.01


def test_sharply_softened_is_truncated():
    logits, targets = draw()
    truncated = with_gradient(truncated_cross_entropy, logits, targets)
    torch.testing.assert_close(
        with_gradient(softened_cross_entropy, logits, targets, sharpness=1e4), truncated
    )


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (
            truncated_cross_entropy,
            {"threshold": 0.0},
            r"`threshold` must be in \(0, 1\]\. Got 0\.0",
        ),
        (truncated_cross_entropy, {"threshold": 1.5}, r"`threshold` must be in"),
        (truncated_cross_entropy, {"threshold": math.nan}, r"`threshold` must be in"),
        (softened_cross_entropy, {"sharpness": 0.0}, r"`sharpness` must be positive and finite"),
        (softened_cross_entropy, {"sharpness": math.inf}, r"`sharpness` must be positive"),
        (dice_loss, {"smoothing": 0.0}, r"`smoothing` must be positive and finite\. Got 0\.0\."),
        (self_adjusting_dice_loss, {"smoothing": math.nan}, r"`smoothing` must be positive"),
        (self_adjusting_dice_loss, {"alpha": -1.0}, r"`alpha` must be finite and at least 0"),
    ],
)
def test_bad_settings(function, options, message):
    with pytest.raises(ValueError, match=message):
        function(*draw(), **options)


@pytest.mark.parametrize(
    "function",
    [
        smooth_accuracy_loss,
        truncated_cross_entropy,
        softened_cross_entropy,
        dice_loss,
        self_adjusting_dice_loss,
    ],
)
def test_soft_targets_are_refused(function):
    with pytest.raises(ValueError, match=r"must be 0 or 1 here\. Got 0\.5 at index \(0, 0\)"):
        function(draw(1)[0], torch.full((1, 7), 0.5))


# Dice


def test_dice_is_smooth_accuracy_over_all_that_is_said_and_true():
    logits, targets = draw()
    total = logits.sigmoid().sum(-1) + targets.sum(-1) + 0.5
    errors = smooth_accuracy_loss(logits, targets, reduction="none")
    value = dice_loss(logits, targets, smoothing=0.5, reduction="none")
    torch.testing.assert_close(value, errors / total)


def test_dice_of_a_row_without_smoothing_is_its_soft_f1_loss():
    logits, targets = draw()
    rows = dice_loss(logits, targets, smoothing=1e-300, reduction="none")
    single = [soft_f1_loss(*row) for row in zip(logits, targets, strict=True)]
    torch.testing.assert_close(rows, torch.stack(single))


@pytest.mark.parametrize("squared", [False, True])
def test_dice_of_a_perfect_answer_keeps_its_digits(squared):
    """The printed form has 1 - 1 there."""
    logits = torch.tensor([[30.0, -30.0, -30.0]])
    targets = torch.tensor([[1.0, 0.0, 0.0]])
    value, gradient = with_gradient(dice_loss, logits, targets, squared=squared)
    q = math.exp(-30) / (1 + math.exp(-30))
    assert value.item() == pytest.approx(3 * q ** (1 + squared) / 3, rel=1e-6)
    assert (gradient * (1 - 2 * targets) > 0).all()
    assert rivals.published_dice(logits, targets) == 0


def test_dice_of_a_large_image_in_half_precision():
    """Sums over 512 x 512 pixels pass the largest float16, and the printed form is NaN."""
    generator = torch.Generator().manual_seed(0)
    targets = (torch.rand(1, 512 * 512, generator=generator) < 0.59).half()
    logits = torch.zeros_like(targets)
    value, gradient = with_gradient(dice_loss, logits, targets)
    share = targets.double().mean().item()
    assert value.item() == pytest.approx(1 - share / (0.5 + share), rel=1e-4)
    assert gradient.isfinite().all()
    assert rivals.published_dice(logits, targets).isnan()


@pytest.mark.parametrize("squared", [False, True])
def test_dice_of_a_row_without_positives_is_pushed_down(squared):
    logits, targets = torch.full((1, 512 * 512), 5.0), torch.zeros(1, 512 * 512)
    value, gradient = with_gradient(dice_loss, logits, targets, squared=squared)
    assert value.item() == pytest.approx(1, abs=1e-5)
    p, total = torch.sigmoid(torch.tensor(5.0)).item(), 512 * 512
    power = 1 + squared
    slope = power * p**power * (1 - p) / (total * p**power + 1) ** 2
    torch.testing.assert_close(gradient, torch.full_like(gradient, slope), rtol=1e-3, atol=0)
    left_out, none = with_gradient(rivals.dice_without_empty_rows, logits, targets)
    assert left_out == 0
    assert torch.equal(none, torch.zeros_like(none))


# Self-adjusting Dice


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.5, 1.0, 3.0])
def test_a_positive_costs_least_and_a_negative_most_inside(alpha, squared):
    best = 1 / (1 + alpha)
    options = {"alpha": alpha, "smoothing": 0.5, "squared": squared}
    for label in (1.0, 0.0):
        targets = torch.full((1, 1), label)
        for step in (-1e-4, 0.0, 1e-4):
            logits = logit(best) + step
            _, slope = with_gradient(self_adjusting_dice_loss, logits, targets, **options)
            if step == 0:
                assert abs(slope.item()) < 1e-15
            else:
                assert slope.item() * step * (2 * label - 1) > 0


@pytest.mark.parametrize("smoothing", [0.01, 1.0, 10.0])
def test_certainty_costs_a_positive_as_much_as_denial_and_a_negative_nothing(smoothing):
    for score in (-80.0, 80.0):
        logits = torch.tensor([[score]])
        value = self_adjusting_dice_loss(logits, torch.ones(1, 1), smoothing=smoothing)
        assert value.item() == pytest.approx(1 / (1 + smoothing), rel=1e-6)
        value = self_adjusting_dice_loss(logits, torch.zeros(1, 1), smoothing=smoothing)
        assert value.item() == pytest.approx(0, abs=1e-30)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.5, 1.0, 2.0])
def test_no_nan_at_saturated_scores(alpha, squared):
    """The printed form divides 0 by 0 in its gradient at sigmoid(40) in float32."""
    logits = torch.tensor([[40.0, -40.0, 40.0, -40.0, 1e4, -1e4, 3e38, -3e38]])
    targets = torch.tensor([[1, 0, 0, 1, 1, 0, 0, 1]])
    options = {"alpha": alpha, "squared": squared}
    value, gradient = with_gradient(self_adjusting_dice_loss, logits, targets, **options)
    assert value.isfinite()
    assert gradient.isfinite().all()
    if 0 < alpha < 1:
        published = rivals.published_self_adjusting_dice
        assert with_gradient(published, logits[:, :1], targets[:, :1], alpha)[1].isnan().all()


def test_slope_in_the_score_is_finite_where_that_in_the_probability_is_not():
    """Near p = 1 and for alpha = 1/2 the first falls, the second grows without bound."""
    scores = torch.tensor([[10.0, 20.0, 30.0]], dtype=torch.float64)
    _, slopes = with_gradient(self_adjusting_dice_loss, scores, torch.ones(1, 3), alpha=0.5)
    expected = (
        3 * 0.5 * torch.exp(-scores / 2) / 2**2
    )  # (2 + smoothing) u alpha / (1 + smoothing)^2
    torch.testing.assert_close(slopes, expected, rtol=0.01, atol=0)
    in_probability = slopes / (scores.sigmoid() * torch.sigmoid(-scores))
    assert (in_probability.diff() > 0).all()
    assert in_probability[0, -1] > 1e5


def test_the_number_in_the_issue_of_the_published_code():
    """Probabilities 0.9 and three times 0.03, squared form, alpha 0.01: 0.0079 for the sample."""
    p = torch.tensor([[0.9, 0.03, 0.03, 0.03]], dtype=torch.float64)
    targets = torch.tensor([[1, 0, 0, 0]])
    value = self_adjusting_dice_loss(p.logit(), targets, alpha=0.01, squared=True)
    assert value.item() == pytest.approx(0.0079, abs=5e-5)


def test_without_adjustment_it_is_the_dice_loss_of_every_class():
    logits, targets = draw()
    value = self_adjusting_dice_loss(logits, targets, alpha=0.0, reduction="none")
    each = dice_loss(logits.unsqueeze(-1), targets.unsqueeze(-1), reduction="none")
    torch.testing.assert_close(value, each.sum(-1))
