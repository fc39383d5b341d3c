"""Jacobians, temperatures and choices of the study, on cases with known answers."""

import pytest
import torch
from torch import Tensor

from scispaces.studies.weight_scale_comparison import Budget, Family, compare_methods
from scispaces.studies.weight_scale_data import Part, lay_out
from scispaces.studies.weight_scale_measures import (
    best_temperature,
    glance,
    jacobian_norms,
    mean_cross_entropy,
    norms,
    robustness,
    sensitivity,
)
from scispaces.studies.weight_scale_methods import METHODS
from scispaces.studies.weight_scale_networks import Architecture


def test_the_jacobian_of_a_linear_map_is_the_map() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(7, 4, generator=generator, dtype=torch.float64)
    x = torch.randn(5, 7, generator=generator, dtype=torch.float64)
    largest = torch.linalg.matrix_norm(matrix, ord=2).expand(5)
    torch.testing.assert_close(jacobian_norms(lambda rows: rows @ matrix, x), largest)


@pytest.mark.parametrize(("model", "side"), [("mlp", 8), ("cnn", 8)])
def test_the_product_of_operator_norms_bounds_the_jacobian(model: str, side: int) -> None:
    architecture = Architecture(model, side, width=16)
    weights = architecture.start([0, 1, 2])
    generator = torch.Generator().manual_seed(1)
    rows = Part(torch.rand(3, 20, side**2, generator=generator), torch.zeros(3, 20).long())
    found = sensitivity(architecture, weights, rows)
    products = norms(architecture, weights)["spectral_product"]
    for at in range(3):
        assert 0 < found["jacobian"][at] <= found["jacobian_largest"][at] < products[at]
        assert found["tightness"][at] == pytest.approx(found["jacobian_largest"][at] / products[at])
        assert found["margin_over_spectral"][at] == pytest.approx(
            found["margin"][at] / products[at]
        )


def test_the_best_temperature_undoes_a_scale() -> None:
    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(1, 3000, 4, generator=generator, dtype=torch.float64)
    uniform = torch.rand(1, 3000, 1, generator=generator, dtype=torch.float64)
    y = (scores.softmax(-1).cumsum(-1) < uniform).sum(-1)
    found = best_temperature(torch.cat([scores, 4 * scores]), y.expand(2, -1))
    assert float(found[0]) == pytest.approx(1, rel=0.13)
    assert float(found[1]) == pytest.approx(4, rel=0.13)
    rescaled = 4 * scores / found[1]
    assert float(mean_cross_entropy(rescaled, y)) < float(mean_cross_entropy(4 * scores, y))


def test_a_network_that_is_not_finite_or_dead_counts_as_wrong() -> None:
    task = lay_out("digits", "mlp", [0], width=8)
    sound = task.architecture.start([0])
    broken = [torch.cat([each, each * torch.nan, each * 0]) for each in sound]
    seen = glance(task.architecture, broken, task.validation.repeated(3), attacked=20)
    assert seen[1:, 0].tolist() == [0, 0]
    assert seen[1:, 2].tolist() == [0, 0]
    assert torch.isfinite(seen).all()
    assert float(seen[0, 2]) <= float(seen[0, 0]) + 0.2


def family(validation: Tensor) -> Family:
    return Family([0.1, 0.2, 0.3], [], torch.empty(0), validation, validation)


def test_settings_are_chosen_by_accuracy_or_by_robustness_above_a_bar() -> None:
    # Columns: accuracy, cross-entropy, accuracy under attack.
    judged = torch.tensor([[[0.9, 0.3, 0.1], [0.9, 0.2, 0.5], [0.8, 0.1, 0.9]]])
    assert family(judged).choices(None) == [1]
    assert family(judged).choices(torch.tensor([0.85])) == [1]
    assert family(judged).choices(torch.tensor([0.8])) == [2]
    assert family(judged).choices(torch.tensor([0.95])) == [1]


def test_masking_takes_idle_pixels_from_the_attack() -> None:
    """A network that hangs on pixels which are never lit is robust once they are blackened."""
    architecture = Architecture("mlp", 8, width=16)
    weights = architecture.start([0])
    lit = torch.zeros(1, 64)
    lit[0, :4] = 1
    weights[0][:, 4:] *= 100
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(1, 40, 64, generator=generator) * lit
    y = architecture.scores(weights, x).argmax(-1)
    found = robustness(architecture, weights, Part(x, y), lit)
    assert found["accuracy_masked"] == [1.0]
    assert found["pgd_masked"][0] > 0.5 > found["pgd_more"][0]
    curve = [float(each) for each in found["pgd"][0].split(";")]
    assert curve[0] == 1
    assert len(curve) == 7


def test_a_comparison_has_every_method_criterion_and_seed() -> None:
    budget = Budget(values=2, updates=8, width=8, judged=10, attacked=12)
    names = ["none_sgd", "l2_adam"]
    rows = compare_methods("digits", "mlp", names, [2, 5], budget)
    assert [(row["loss"], row["criterion"], row["seed"]) for row in rows] == [
        (name, criterion, seed)
        for name in names
        for criterion in ("accuracy", "matched")
        for seed in (2, 5)
    ]
    for row in rows:
        assert row["balanced_squares"] <= row["squares"] * (1 + 1e-6)
        assert row["jacobian_largest"] <= row["spectral_product"]
        assert row["spectral_product"] <= row["frobenius_product"]
        assert len(row["norm_curve"].split()) == 9
        assert row["norm_curve"].split()[-1] == row["layer_norms"]
        assert (row["strength"] == 0) == (not METHODS[row["loss"]].tuned)
        assert 0 < row["idle_share"] < 0.5
        assert ("sweep_accuracy" in row) == (row["criterion"] == "accuracy")
    swept = [float(each) for each in rows[0]["sweep_accuracy"].split(";")]
    assert swept[rows[0]["setting"]] == pytest.approx(rows[0]["accuracy"], abs=1e-3)
