"""What each method does with a batch, and the training that strings such updates together."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from tests.datasets.files import needs

from scispaces.datasets import load_multi30k, make_spelling_rules
from scispaces.studies import sampling_finetuning, sampling_updates
from scispaces.studies.sampling_finetuning import (
    Parts,
    batches,
    finetune,
    judge,
    train_by_likelihood,
    worth,
)
from scispaces.studies.sampling_metrics import Scores
from scispaces.studies.sampling_sequences import Translator, likelihood_loss, start
from scispaces.studies.sampling_translation import SCALES
from scispaces.studies.sampling_updates import (
    METHODS,
    UPDATES,
    Scale,
    first_occurrence,
    settings_of,
    task_loss,
    updates_of,
)

SMALL = replace(
    SCALES["spelling-rules"], batch=16, starts={"trained": 30}, steady=30, updates=4, valid=30
)


@pytest.fixture(scope="module")
def parts() -> Parts:
    return Parts.of(make_spelling_rules(0, train=200, valid=50, test=50), SMALL.valid, "cpu")


@pytest.fixture(scope="module")
def before(parts: Parts) -> Translator:
    data = make_spelling_rules(0, train=200, valid=50, test=50)
    return train_by_likelihood(data, parts, SMALL, 0)["trained"]


def weights(model: Translator) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()


@pytest.mark.parametrize("configurations", [4, 8])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_tries_as_many_settings(method: str, configurations: int) -> None:
    tried = settings_of(method, configurations)
    assert len({tuple(each.items()) for each in tried}) == configurations


def test_every_method_decodes_as_many_outputs(
    parts: Parts, before: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    real = sampling_updates.decode

    def counted(model: Translator, source: torch.Tensor, cap: int, **how: Any) -> torch.Tensor:
        rows.append(len(source))
        return real(model, source, cap, **how)

    monkeypatch.setattr(sampling_updates, "decode", counted)
    decoded = {}
    for method in METHODS:
        rows.clear()
        finetune(before, method, settings_of(method, 4)[0], parts, SMALL, 1)
        decoded[method] = sum(rows)
    expected = SMALL.updates * SMALL.batch * SMALL.outputs
    assert decoded == dict.fromkeys(METHODS, expected) | {"likelihood": 0}
    assert updates_of("likelihood", SMALL) == 2 * SMALL.updates


@pytest.mark.parametrize("method", METHODS)
def test_finetuning_moves_a_copy_and_is_repeatable(
    method: str, parts: Parts, before: Translator
) -> None:
    origin = weights(before)
    run = partial(finetune, before, method, settings_of(method, 4)[-1], parts, SMALL, 3)
    once, again = run(), run()
    assert torch.equal(weights(before), origin)
    assert not torch.equal(weights(once.model), origin)
    assert torch.equal(weights(once.model), weights(again.model))
    assert len(once.curve) == SMALL.looks
    assert once.valid.symbol_error == min(once.curve)
    assert judge(once.model, parts.valid, SMALL.cap) == once.valid
    searched = method.startswith("mgs") or method == "random"
    assert np.isfinite(once.ess) == searched
    assert np.isfinite(once.guided_weight) == method.startswith("mgs")


def test_likelihood_training_keeps_the_models_it_is_asked_for(parts: Parts) -> None:
    data = make_spelling_rules(0, train=200, valid=50, test=50)
    scale = replace(SMALL, starts={"none": 1, "some": 40}, steady=30)
    kept = train_by_likelihood(data, parts, scale, 0)
    losses = {name: likelihood_loss(model, *parts.valid).item() for name, model in kept.items()}
    assert losses["some"] < losses["none"] - 0.5
    alone = train_by_likelihood(data, parts, replace(scale, starts={"none": 1}), 0)["none"]
    assert torch.equal(weights(alone), weights(kept["none"]))


def test_the_rate_falls_in_a_straight_line_after_the_steady_updates(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_spelling_rules(0, train=200, valid=50, test=50)
    rates = []

    def noted(model: Translator, optimiser: torch.optim.Optimizer) -> None:
        rates.append(optimiser.param_groups[0]["lr"])

    monkeypatch.setattr(sampling_finetuning, "clipped_step", noted)
    train_by_likelihood(data, parts, replace(SMALL, starts={"end": 6}, steady=2, rate=1.0), 0)
    assert rates == pytest.approx([1, 1, 4 / 5, 3 / 5, 2 / 5, 1 / 5])


def test_a_guided_update_follows_the_step_of_the_search(parts: Parts, before: Translator) -> None:
    """With one Adam step of rate r every weight moves by r against the sign of its gradient."""

    model, settings = copy.deepcopy(before), {"rate": 1e-3, "temperature": 1e-2}
    update = UPDATES["mgs_proposal"](model, settings, SMALL, 0)
    notes = update(parts.train[0][:16], parts.train[1][:16])
    assert 1 <= notes["ess"] <= SMALL.outputs
    assert 0 <= notes["guided_weight"] <= 1
    moved = weights(model) - weights(before)
    gradient = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    large = gradient.abs() > 1e-4
    assert large.any()
    assert torch.allclose(moved[large], -1e-3 * gradient[large].sign(), rtol=1e-2)


def test_random_search_looks_at_the_task_loss_alone(parts: Parts, before: Translator) -> None:
    """Its step is a mean of its candidates, of the size of the noise, and leaves no gradient."""

    model = copy.deepcopy(before)
    model.zero_grad()
    UPDATES["random"](model, {"noise": 1e-3, "temperature": 0.1}, SMALL, 0)(
        parts.train[0][:16], parts.train[1][:16]
    )
    moved = weights(model) - weights(before)
    assert 1e-4 < moved.std().item() <= 1.1e-3
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("method", ["policy_gradient", "minimum_risk"])
def test_output_methods_make_cheap_outputs_likelier(
    method: str, parts: Parts, before: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the loss of an output is its length, outputs become shorter."""

    def length(outputs: np.ndarray, references: np.ndarray) -> np.ndarray:
        return (outputs > 1).sum(1)

    monkeypatch.setitem(sampling_updates.LOSSES, "distance", length)
    scale = replace(SMALL, updates=25, looks=1)
    settings = {"rate": 3e-3, "likelihood": 0.0}
    after = finetune(before, method, settings, parts, scale, 0).model
    loss = partial(task_loss, source=parts.valid[0], target=parts.valid[1], scale=scale)
    assert loss(after) < loss(before) - 0.5


def test_batches_bring_every_row_before_any_comes_again() -> None:
    drawn = batches(10, 3, seed=0)
    first = torch.cat([next(drawn) for _ in range(3)])
    assert len(set(first.tolist())) == 9
    assert len(next(drawn)) == 3


def test_first_occurrence_compares_whole_outputs() -> None:
    samples = torch.tensor([[[5, 1, 0], [5, 6, 1], [5, 1, 0], [5, 6, 1]]])
    assert first_occurrence(samples).tolist() == [[True, True, False, False]]


def test_models_are_chosen_by_the_metric_of_their_task() -> None:
    good = Scores(0.2, 0.5, 0.0, 1.0, 0.3)
    fluent = Scores(0.3, 0.6, 0.0, 1.5, 0.4)
    assert worth(good, SMALL) < worth(fluent, SMALL)
    assert worth(good, replace(SMALL, task="bleu")) > worth(fluent, replace(SMALL, task="bleu"))


TINY: Mapping[str, int] = {"embedding": 8, "hidden": 8, "batch": 4, "updates": 2, "valid": 6}


@needs("seq/multi30k/")
@pytest.mark.parametrize("method", METHODS)
def test_two_steps_of_translation(method: str) -> None:
    """The block for a GPU, two updates of it with a tiny model."""
    data = load_multi30k(words=200)
    scale: Scale = replace(
        SCALES["multi30k"], **TINY, starts={"converged": 1}, looks=1, configurations=4, cap=8
    )
    assert scale.task == "bleu"
    rows = Parts.of(data, scale.valid, "cpu")
    model = start(data, embedding=8, hidden=8, seed=0)
    found = finetune(model, method, settings_of(method, 4)[0], rows, scale, 0)
    assert found.updates == updates_of(method, scale)
    assert not torch.equal(weights(found.model), weights(model))
    assert 0 <= found.valid.bleu <= 1
