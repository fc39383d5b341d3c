"""What flooded networks do at the level, against finite differences and small steps."""

import math

import pytest
import torch

from scispaces.studies import flooding_dynamics as dynamics
from scispaces.studies.flooding_data import NoisyTask
from scispaces.studies.flooding_dynamics import ROWS, Path, follow, reach_level, slope, state
from scispaces.studies.flooding_networks import StackedNetworks
from scispaces.studies.flooding_training import row_losses

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def task() -> NoisyTask:
    return dynamics.small_task(SEEDS)


@pytest.fixture(scope="module")
def at_level(task: NoisyTask) -> StackedNetworks:
    return reach_level(task, SEEDS)


def test_all_networks_stand_just_below_the_level(
    task: NoisyTask, at_level: StackedNetworks
) -> None:
    assert task.x.shape == (2, 64, ROWS)
    assert ((task.y != task.clean_y).float().mean(1) - 0.1).abs().max() < 0.05
    with torch.no_grad():
        losses = row_losses(at_level.scores(task.x), task.y).mean((1, 2))
    assert (losses <= dynamics.LEVEL).all()
    assert (losses > dynamics.LEVEL - 0.02).all()


def test_a_level_out_of_reach_is_an_error(task: NoisyTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamics, "MOST_START_STEPS", 3)
    with pytest.raises(RuntimeError, match=r"did not reach the level 0\.2 in 3 steps"):
        reach_level(task, SEEDS)


def test_the_drift_is_how_fast_the_squared_norm_falls_along_the_level_set() -> None:
    small = dynamics.small_task([3])
    networks = StackedNetworks((64, 6, 10), [3], 1, normalised=False)
    networks.parameters = [
        part.detach().double().requires_grad_(True) for part in networks.parameters
    ]
    wide = NoisyTask(**{**vars(small), "x": small.x.double()})
    here = slope(networks, wide)
    loss = row_losses(networks.scores(wide.x), wide.y).mean()
    parts = torch.autograd.grad(loss, networks.parameters, create_graph=True)
    gradient = torch.cat([part.flatten() for part in parts])
    squared = gradient.square().sum()
    assert float(here.loss) == pytest.approx(float(loss.detach()), rel=1e-12)
    assert float(here.squared_norm) == pytest.approx(float(squared.detach()), rel=1e-12)
    turn = torch.cat([part.flatten() for part in torch.autograd.grad(squared, networks.parameters)])
    across = turn - (turn @ gradient / squared).detach() * gradient.detach()
    step = 1e-7
    at = 0
    starts = [part.detach().clone() for part in networks.parameters]
    for part in networks.parameters:
        size = part.numel()
        part.data -= step * across[at : at + size].view(part.shape)
        at += size
    there = slope(networks, wide)
    # Twice the second derivative along g is the share of the turn along g.
    length = 1e-5
    along = [part.detach() for part in parts]
    losses = []
    for part, own, before in zip(networks.parameters, along, starts, strict=True):
        part.data = before + length * own
    losses.append(float(slope(networks, wide).loss))
    for part, own, before in zip(networks.parameters, along, starts, strict=True):
        part.data = before - length * own
    losses.append(float(slope(networks, wide).loss))
    bend = (sum(losses) - 2 * float(here.loss)) / length**2 / float(here.squared_norm)
    assert bend == pytest.approx(float(here.curvature), rel=1e-2)
    assert float(here.excursion) == pytest.approx(
        abs(float(here.loss) - dynamics.LEVEL) / float(here.squared_norm)
    )
    # The loss stays, the squared norm falls at the rate of the drift.
    assert float(there.loss) == pytest.approx(float(here.loss), abs=1e-9)
    fall = (float(here.squared_norm) - float(there.squared_norm)) / step
    assert fall == pytest.approx(float(here.squared_drift), rel=1e-3)


def test_flooding_with_all_rows_descends_on_the_norm_as_predicted(
    task: NoisyTask, at_level: StackedNetworks
) -> None:
    before = [part.detach().clone() for part in at_level.parameters]
    for row in follow(Path("batch", ROWS, "sgd", 0.05), task, at_level, SEEDS, steps=600):
        assert row["norm_end"] < 0.8 * row["norm_start"]
        assert row["log_fall"] == pytest.approx(row["predicted_fall"], rel=0.15)
        assert row["train_loss_end"] == pytest.approx(dynamics.LEVEL, abs=0.01)
        assert row["ascent_share"] == pytest.approx(0.5, abs=0.03)
        curve = [float(norm) for norm in row["norm_curve"].split(";")]
        assert len(curve) == dynamics.LOOKS
        assert curve[-1] == pytest.approx(row["norm_end"], rel=0.01)
        assert 2 * math.log(curve[-1] / curve[0]) == pytest.approx(row["log_fall"], abs=0.03)
    for part, own in zip(at_level.parameters, before, strict=True):
        assert torch.equal(part, own)


def test_flooding_row_by_row_shrinks_the_spread_and_memorises(
    task: NoisyTask, at_level: StackedNetworks
) -> None:
    for row in follow(Path("row", ROWS, "sgd", 0.05), task, at_level, SEEDS, steps=200):
        assert row["spread_end"] < 0.7 * row["spread_start"]
        assert row["memorised_end"] > row["memorised_start"]
        assert row["norm_end"] > row["norm_start"]
        assert "predicted_fall" not in row


def test_batches_that_do_not_decide_about_themselves_memorise_less(
    task: NoisyTask, at_level: StackedNetworks
) -> None:
    by_batch, by_all = (
        follow(Path(by, 40, "sgd", 0.05), task, at_level, SEEDS, steps=500)
        for by in ("batch", "all")
    )
    for own, other in zip(by_batch, by_all, strict=True):
        assert own["memorised_start"] == other["memorised_start"]
        assert own["memorised_end"] > other["memorised_end"]
        assert own["spread_end"] < own["spread_start"] < other["spread_end"]


def test_the_state_counts_flipped_rows_fitted_as_flipped() -> None:
    networks = StackedNetworks((2, 2), [0], 1, normalised=False)
    with torch.no_grad():
        networks.parameters[0].copy_(torch.eye(2)[None])
        networks.parameters[1].zero_()
    # The decision is the larger feature: rows 0 and 1 are decided as class 0, row 2 as class 1.
    x = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    noisy, clean = torch.tensor([[0, 1, 1]]), torch.tensor([[1, 0, 1]])
    test_y = torch.tensor([[0, 0, 0]])
    task = NoisyTask(x, noisy, clean, x, noisy, x, test_y, test_y, classes=2)
    found = state(networks, task)
    assert found["memorised"] == [0.5]
    assert found["test_accuracy"] == pytest.approx([2 / 3])
    low, high = math.log1p(math.exp(-1)), math.log1p(math.exp(1))
    expected = (high - low) * math.sqrt(2 / 9)
    assert found["spread"] == pytest.approx([expected])


@pytest.mark.parametrize("path", dynamics.PATHS, ids=str)
def test_every_path_can_be_followed(task: NoisyTask, at_level: StackedNetworks, path: Path) -> None:
    rows = follow(path, task, at_level, SEEDS, steps=2 * dynamics.LOOKS)
    assert [row["seed"] for row in rows] == list(SEEDS)
    for row in rows:
        assert (row["by"], row["batch"], row["optimiser"], row["rate"]) == (
            path.by,
            path.batch,
            path.optimiser,
            path.rate,
        )
        assert 0 < row["ascent_share"] < 1
        assert ("predicted_fall" in row) == (
            (path.by, path.batch, path.optimiser) == ("batch", ROWS, "sgd")
        )
