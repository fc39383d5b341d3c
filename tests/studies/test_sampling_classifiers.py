"""The classifiers' rows and losses, and what a budget buys."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from scispaces.optim import MLEGuidedSearch
from scispaces.studies import sampling_search
from scispaces.studies.sampling_classifiers import (
    OUTLIERS,
    SURROGATES,
    TASK_LOSSES,
    Rows,
    cross_entropy,
    decisions,
    error,
    f1_loss,
    lay_out,
)
from scispaces.studies.sampling_search import METHODS, SEARCHES, Budget, train

SETS = ("toy", "breast-cancer", "digits")
SMALL = Budget(passes=114, candidates=16, configurations=4, looks=2)


@pytest.mark.parametrize("classes", [2, 10])
def test_f1_is_that_of_scikit_learn(classes: int) -> None:
    generator = np.random.default_rng(0)
    y, decided = generator.integers(classes, size=(2, 60))
    y[0] = decided[0] = classes - 1
    rows = Rows(torch.zeros(60, 1), torch.from_numpy(y))
    average = "binary" if classes == 2 else "macro"
    assert 1 - f1_loss(torch.from_numpy(decided), rows) == pytest.approx(
        f1_score(y, decided, average=average)
    )
    assert error(torch.from_numpy(decided), rows) == pytest.approx((y != decided).mean())


def test_f1_of_a_class_that_is_neither_there_nor_decided_is_one() -> None:
    rows = Rows(torch.zeros(3, 1), torch.tensor([0, 2, 2]))
    assert f1_loss(torch.tensor([0, 2, 2]), rows) == 0


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("task", ["error", "f1"])
def test_a_surrogate_is_the_task_loss_where_all_scores_are_large(name: str, task: str) -> None:
    data = lay_out(name, 0)
    columns = data.classes if data.classes > 2 else 1
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(data.train.x.shape[1], columns, generator=generator) * 1e6
    exact = TASK_LOSSES[task](decisions(weights, data.train), data.train)
    assert SURROGATES[task](weights, data.train).item() == pytest.approx(exact, abs=2e-4)


@pytest.mark.parametrize("name", SETS)
def test_rows_are_split_and_scaled_by_the_training_part(name: str) -> None:
    data = lay_out(name, 2)
    parts = data.train, data.valid, data.test
    total = {"toy": 4400, "breast-cancer": 569, "digits": 1797}[name]
    assert sum(len(part.y) for part in parts) == total
    features = data.train.x[:, :-1]
    assert features.mean(0).abs().max() < 1e-5
    assert features.square().sum(1).mean() == pytest.approx(1, abs=0.1)
    assert all((part.x[:, -1] == 1).all() for part in parts)


def test_outliers_are_as_many_as_said_far_and_in_training_and_validation_only() -> None:
    clean, dirty = lay_out("breast-cancer", 1), lay_out("breast-cancer-outliers", 1)
    moved = [
        (one.x != other.x).any(1)
        for one, other in (
            (clean.train, dirty.train),
            (clean.valid, dirty.valid),
            (clean.test, dirty.test),
        )
    ]
    known = len(clean.train.y) + len(clean.valid.y)
    assert int(moved[0].sum() + moved[1].sum()) == round(OUTLIERS * known)
    assert not moved[2].any()
    far = dirty.train.x[moved[0], :-1].norm(dim=1).mean()
    assert far > 4 * clean.train.x[:, :-1].norm(dim=1).mean()
    # Each is six times a row of the other class.
    x, y = (
        torch.cat([getattr(clean.train, name), getattr(clean.valid, name)]) for name in ("x", "y")
    )
    at = int(moved[0].nonzero()[0])
    source = int((dirty.train.x[at, :-1] / 6 - x[:, :-1]).norm(dim=1).argmin())
    assert y[source] != dirty.train.y[at]


def test_every_method_tries_as_many_settings_and_spends_no_more_passes() -> None:
    for configurations in (4, 8):
        budget = Budget(passes=608, candidates=16, configurations=configurations, looks=5)
        for method in METHODS:
            tried = budget.settings(method)
            assert len({tuple(each.items()) for each in tried}) == configurations
            cost = 3 if method not in SEARCHES else 16 + 3 * (SEARCHES[method][0] > 0)
            assert budget.passes - cost < budget.steps(method) * cost <= budget.passes


@pytest.mark.parametrize("method", METHODS)
def test_training_spends_its_evaluations_and_lowers_the_task_loss(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, calls = lay_out("toy", 0), []

    def counted(decided: torch.Tensor, rows: Rows) -> float:
        calls.append(rows is data.train)
        return error(decided, rows)

    monkeypatch.setitem(sampling_search.TASK_LOSSES, "error", counted)
    found = train(data, "error", method, SMALL.settings(method)[0], SMALL, seed=0)
    looks = SMALL.looks
    candidates = SMALL.steps(method) * SMALL.candidates if method in SEARCHES else 0
    assert calls.count(True) == candidates + looks
    assert calls.count(False) == looks
    assert len(found.curve) == looks
    start = error(torch.zeros_like(data.valid.y), data.valid)
    assert found.valid < start - 0.2
    assert error(decisions(found.weights, data.valid), data.valid) == found.valid
    steps = SMALL.steps(method) if method in SEARCHES else 0
    assert len(found.sizes) == len(found.guided) == steps
    assert all(1 <= size <= SMALL.candidates + 1e-9 for size in found.sizes)


def test_shares_of_guided_candidates_are_as_named() -> None:
    data = lay_out("toy", 0)
    for method, share in (("guided_flat", 1.0), ("random_flat", 0.0)):
        found = train(data, "error", method, SMALL.settings(method)[0], SMALL, seed=0)
        assert found.guided == pytest.approx([share] * len(found.guided))


def test_search_steps_as_the_library_does() -> None:
    data, settings = lay_out("toy", 3), SMALL.settings("mgs_proposal")[0]
    budget = Budget(passes=19, candidates=16, configurations=4, looks=1)
    found = train(data, "f1", "mgs_proposal", settings, budget, seed=5)
    weights = torch.nn.Parameter(torch.zeros(3, 1))
    search = MLEGuidedSearch(
        [weights],
        **settings,
        candidates=16,
        noise_scale="absolute",
        reference="proposal",
        generator=torch.Generator().manual_seed(5),
    )
    cross_entropy(weights, data.train).backward()
    search.step(lambda: f1_loss(decisions(weights, data.train), data.train))
    assert torch.equal(found.weights, weights.detach())


@pytest.mark.parametrize("method", ["random_flat", "random_proposal"])
def test_random_search_from_zero_does_not_see_the_size_of_its_noise(method: str) -> None:
    """Noise and weights grow alike, and decisions do not change with the scale of the weights."""
    data, settings = lay_out("toy-outliers", 0), SMALL.settings(method)[0]
    found = [
        train(data, "error", method, settings | {"noise": noise}, SMALL, seed=0)
        for noise in (1.0, 0.25)  # a power of two, so that the scaling is exact
    ]
    assert found[0].curve == found[1].curve
    assert found[0].sizes == found[1].sizes
    assert torch.equal(found[0].weights, 4 * found[1].weights)
