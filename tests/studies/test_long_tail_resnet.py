"""The GPU study of CIFAR-10, tried out on a processor with a few made images."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from scispaces.studies import logit_adjustment, long_tail_resnet


@pytest.fixture
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty images of every class that a network could learn, and ten for the test."""

    def made() -> tuple[Any, ...]:
        generator = np.random.default_rng(0)
        parts: list[Any] = []
        for rows in (20, 10):
            targets = np.repeat(np.arange(10), rows)
            images = generator.integers(0, 256, (len(targets), 32, 32, 3), dtype=np.uint8)
            parts += [images, targets]
        return tuple(parts)

    monkeypatch.setattr(long_tail_resnet, "load_cifar10_jpeg", made)


@pytest.mark.usefixtures("few_images")
def test_two_steps_give_the_rows_of_the_comparison() -> None:
    options = {"device": "cpu", "epochs": 1, "blocks_per_stage": 1, "largest": 20, "ratio": 10}
    rows = [
        row
        for trained in long_tail_resnet.TRAINED
        for row in long_tail_resnet.run(trained, 0, **options)
    ]
    assert [row["loss"] for row in rows] == ["erm", "post_hoc", "la"]
    for row in rows:
        assert set(logit_adjustment.METRICS) <= set(row)
        errors = [float(error) for error in row["errors"].split(";")]
        assert np.mean(errors) == pytest.approx(row["balanced_error"], abs=1e-3)
    erm, post_hoc, _ = rows
    assert erm["nll_natural"] == pytest.approx(erm["nll"])
    assert post_hoc["nll_natural"] == pytest.approx(erm["nll"], rel=1e-5)
    assert post_hoc["nll_balanced"] == pytest.approx(erm["nll_balanced"], rel=1e-5)
    json.dumps(rows, allow_nan=False)
    again = long_tail_resnet.run("erm", 0, **options)
    assert again == rows[:2]
    with pytest.raises(ValueError, match=r"`trained` must be one of erm, la\. Got 'ldam'"):
        long_tail_resnet.run("ldam", 0)


def test_the_network_has_the_published_size() -> None:
    network = long_tail_resnet.resnet()
    # He et al. (2016), table 6: 0.46 million parameters.
    assert sum(part.numel() for part in network.parameters()) == pytest.approx(0.46e6, rel=0.02)
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_augmentation_moves_and_mirrors_whole_images() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.arange(3 * 32 * 32).float().view(3, 32, 32) + 1
    found = long_tail_resnet.augmented(image.expand(64, -1, -1, -1), generator)
    assert found.shape == (64, 3, 32, 32)
    padded = torch.nn.functional.pad(image, (4, 4, 4, 4))
    windows = {
        padded[:, down : down + 32, across : across + 32].flip(dims).contiguous().numpy().tobytes()
        for down in range(9)
        for across in range(9)
        for dims in ([], [2])
    }
    seen = {each.contiguous().numpy().tobytes() for each in found}
    assert seen <= windows
    assert len(seen) > 20


@pytest.mark.usefixtures("few_images")
def test_compare_trains_both_losses_with_every_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def noted(trained: str, seed: int, device: str) -> list[dict[str, Any]]:
        return [{"loss": trained, "seed": seed, "device": device}]

    monkeypatch.setattr(long_tail_resnet, "run", noted)
    rows = long_tail_resnet.compare([0, 1])
    assert [(row["loss"], row["seed"]) for row in rows] == [
        ("erm", 0),
        ("la", 0),
        ("erm", 1),
        ("la", 1),
    ]
    assert {row["device"] for row in rows} == {"cuda"}
