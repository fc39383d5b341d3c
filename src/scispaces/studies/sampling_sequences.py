"""A small translator of sequences: two recurrent networks and attention between them."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from scispaces.datasets.sequences import BEGIN, END, PADDING, SequenceData


class Translator(nn.Module):
    """Encoder and decoder of gated recurrent units, multiplicative attention after the decoder.

    Args:
        source_symbols, target_symbols: how many there are.
        embedding: size of a symbol's vector.
        hidden: units of the decoder; the encoder has half as many in each direction.
    """

    def __init__(
        self, source_symbols: int, target_symbols: int, *, embedding: int, hidden: int
    ) -> None:
        super().__init__()
        self.read = nn.Embedding(source_symbols, embedding, padding_idx=PADDING)
        self.encoder = nn.GRU(embedding, hidden // 2, batch_first=True, bidirectional=True)
        self.write = nn.Embedding(target_symbols, embedding, padding_idx=PADDING)
        self.decoder = nn.GRU(embedding, hidden, batch_first=True)
        self.compare = nn.Linear(hidden, hidden, bias=False)
        self.mix = nn.Linear(2 * hidden, hidden)
        self.score = nn.Linear(hidden, target_symbols)

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Memory `(rows, length, hidden)`, where it is padding, and the decoder's first state."""
        memory, last = self.encoder(self.read(source))
        return memory, source == PADDING, torch.cat(list(last), -1).unsqueeze(0)

    def advance(
        self, memory: Tensor, padding: Tensor, state: Tensor, symbols: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of the symbols after each of the given ones `(rows, length)`, and the state."""
        hidden, state = self.decoder(self.write(symbols), state)
        weights = self.compare(hidden) @ memory.mT
        weights = weights.masked_fill(padding.unsqueeze(1), -torch.inf).softmax(-1)
        mixed = self.mix(torch.cat([hidden, weights @ memory], -1)).tanh()
        return self.score(mixed), state

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits `(rows, length, symbols)` of every symbol of the target, given those before it."""
        begin = target.new_full((len(target), 1), BEGIN)
        return self.advance(*self.encode(source), torch.cat([begin, target[:, :-1]], 1))[0]


def start(data: SequenceData, *, embedding: int, hidden: int, seed: int) -> Translator:
    """A translator before its training; the global random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Translator(
            len(data.source_symbols), len(data.target_symbols), embedding=embedding, hidden=hidden
        )


def likelihood_loss(model: Translator, source: Tensor, target: Tensor) -> Tensor:
    """Mean negative log-likelihood of a symbol of the target."""
    logits = model(source, target)
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=PADDING)


def log_likelihoods(model: Translator, source: Tensor, target: Tensor) -> Tensor:
    """Log-probability of each whole target `(rows,)`; padding after its end counts nothing."""
    losses = F.cross_entropy(
        model(source, target).mT, target, ignore_index=PADDING, reduction="none"
    )
    return -losses.sum(1)


@torch.no_grad()
def decode(
    model: Translator,
    source: Tensor,
    cap: int,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Outputs `(rows, at most cap)`, with padding after their ends.

    Every symbol is the likeliest, or, with a generator, drawn by its probability. An output that
    has no end after `cap` symbols stays without one.
    """
    memory, padding, state = model.encode(source)
    last = source.new_full((len(source), 1), BEGIN)
    ended = torch.zeros_like(last, dtype=torch.bool)
    outputs = []
    for _ in range(cap):
        logits, state = model.advance(memory, padding, state, last)
        # Padding and begin are no outputs; they occur in no target.
        logits = logits[:, 0].index_fill(1, last.new_tensor([PADDING, BEGIN]), -torch.inf)
        if generator is None:
            last = logits.argmax(-1, keepdim=True)
        else:
            last = torch.multinomial(logits.softmax(-1), 1, generator=generator)
        last = last.masked_fill(ended, PADDING)
        outputs.append(last)
        ended = ended | (last == END)
        if ended.all():
            break
    return torch.cat(outputs, 1)


def decode_all(model: Translator, source: Tensor, cap: int, rows: int = 500) -> NDArray[np.int64]:
    """Greedy outputs for many rows, `(rows, cap)`."""
    parts = [decode(model, part, cap) for part in source.split(rows)]
    padded = [F.pad(part, (0, cap - part.shape[1]), value=PADDING) for part in parts]
    return torch.cat(padded).cpu().numpy()
