"""The translator against itself: all at once or symbol by symbol, likely or drawn."""

import numpy as np
import pytest
import torch

from scispaces.datasets import make_spelling_rules
from scispaces.datasets.sequences import BEGIN, END, PADDING
from scispaces.studies.sampling_sequences import (
    Translator,
    decode,
    decode_all,
    likelihood_loss,
    log_likelihoods,
    start,
)

CAP = 6


@pytest.fixture(scope="module")
def model() -> Translator:
    """A translator with likings, drawn and not trained."""
    model = start(make_spelling_rules(0, train=50, valid=1, test=1), embedding=6, hidden=8, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    return model


@pytest.fixture(scope="module")
def source() -> torch.Tensor:
    data = make_spelling_rules(0, train=50, valid=1, test=1)
    return torch.from_numpy(data.train.source[:20])


@torch.no_grad()
def test_greedy_outputs_are_the_likeliest_symbols_of_the_whole_pass(
    model: Translator, source: torch.Tensor
) -> None:
    outputs = decode(model, source, CAP)
    logits = model(source, outputs)
    logits[..., [PADDING, BEGIN]] = -torch.inf
    ended = (outputs == END).long().cumsum(1) - (outputs == END).long() > 0
    assert torch.equal(logits.argmax(-1)[~ended], outputs[~ended])
    assert (outputs[ended] == PADDING).all()


@torch.no_grad()
def test_log_likelihood_of_a_target_is_the_sum_over_its_symbols_alone(
    model: Translator, source: torch.Tensor
) -> None:
    target = torch.tensor([[5, 6, END, PADDING], [7, END, PADDING, PADDING]])
    logs = model(source[:2], target).log_softmax(-1)
    expected = [
        logs[0, 0, 5] + logs[0, 1, 6] + logs[0, 2, END],
        logs[1, 0, 7] + logs[1, 1, END],
    ]
    found = log_likelihoods(model, source[:2], target)
    assert torch.allclose(found, torch.stack(expected), atol=1e-5)
    assert likelihood_loss(model, source[:2], target).item() == pytest.approx(
        -found.sum().item() / 5, rel=1e-5
    )


@torch.no_grad()
def test_a_symbol_does_not_see_those_after_it(model: Translator, source: torch.Tensor) -> None:
    one, other = torch.tensor([[5, 6, 7, END]]), torch.tensor([[5, 6, 9, END]])
    first, second = model(source[:1], one), model(source[:1], other)
    assert torch.equal(first[:, :3], second[:, :3])
    assert not torch.equal(first[:, 3], second[:, 3])


@torch.no_grad()
def test_attention_gives_padding_no_weight(model: Translator, source: torch.Tensor) -> None:
    memory, padding, state = model.encode(source)
    symbols = torch.full((len(source), 1), BEGIN)
    expected, _ = model.advance(memory, padding, state, symbols)
    assert padding.any()
    changed = memory.masked_fill(padding.unsqueeze(-1), 99.0)
    assert torch.equal(model.advance(changed, padding, state, symbols)[0], expected)


@torch.no_grad()
def test_drawn_outputs_have_the_frequencies_of_their_probabilities(model: Translator) -> None:
    source = torch.tensor([[4, 5, END]])
    many = source.expand(20_000, -1)
    drawn = decode(model, many, 1, generator=torch.Generator().manual_seed(0))
    logits = model(source, torch.tensor([[END]]))[0, 0]
    logits[[PADDING, BEGIN]] = -torch.inf
    expected = logits.softmax(-1)
    found = torch.bincount(drawn[:, 0], minlength=len(expected)) / len(drawn)
    error = (expected * (1 - expected) / len(drawn)).sqrt()
    assert ((found - expected).abs() <= 5 * error).all()


@torch.no_grad()
def test_outputs_end_or_reach_the_cap(model: Translator, source: torch.Tensor) -> None:
    outputs = decode_all(model, source, CAP, rows=7)
    assert outputs.shape == (len(source), CAP)
    finished = (outputs == END).any(1)
    assert (outputs[~finished] != PADDING).all()
    together = decode(model, source, CAP).numpy()
    assert np.array_equal(outputs[:, : together.shape[1]], together)


def test_the_start_is_decided_by_its_seed_and_leaves_the_random_numbers() -> None:
    data = make_spelling_rules(0, train=50, valid=1, test=1)
    before = torch.get_rng_state()
    one, same, other = (start(data, embedding=4, hidden=4, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.mix.weight, same.mix.weight)
    assert not torch.equal(one.mix.weight, other.mix.weight)
