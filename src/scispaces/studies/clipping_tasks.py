"""What is trained to compare clipping: small LSTM language models and small convolutional networks.

A task holds a model before its training, the losses of its batches in their order, and the loss of
one fixed batch of training rows on which smoothness is probed. All of it follows from the seed.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from scispaces.datasets import ClassificationData, load_digits, load_fashion_mnist
from scispaces.datasets.language import Level, load_language, parallel_streams

EVALUATION_STREAMS = 64
EVALUATION_WINDOW = 64


@dataclass(frozen=True)
class LanguageConfig:
    """A language model and how it reads.

    Attributes:
        data_set: a key of `datasets.language.CORPORA`.
        level: words or characters.
        most_tokens: size of the vocabulary; all of the training text if None.
        embedding, hidden: width of the input and of the LSTM.
        layers: how many LSTM layers, one on the other.
        streams, window: a batch is so many pieces of text, so many tokens long; the state of the
            LSTM is carried to the next batch, its gradient is not.
        probe_streams: pieces of the batch of the probe, of the same window.
        evaluation_tokens: validation and test are the first so many tokens of their parts.
    """

    data_set: str = "data-descriptions"
    level: Level = "characters"
    most_tokens: int | None = None
    embedding: int = 16
    hidden: int = 32
    layers: int = 1
    streams: int = 8
    window: int = 24
    probe_streams: int = 16
    evaluation_tokens: int = 4096

    @property
    def model(self) -> str:
        """The name of the model in tables."""
        return f"lstm{self.layers}-{self.level}"


@dataclass(frozen=True)
class VisionConfig:
    """A convolutional network and its images.

    Attributes:
        data_set: digits or fashion-mnist.
        train_rows, validation_rows: how many of the training rows are used for each.
        channels: of the two convolutions, 3 × 3 of stride 2 with relu; a linear layer follows.
        batch, probe_rows: rows of a batch, and of the batch of the probe.
    """

    data_set: str = "digits"
    train_rows: int = 1000
    validation_rows: int = 250
    channels: tuple[int, int] = (8, 16)
    batch: int = 32
    probe_rows: int = 500

    @property
    def model(self) -> str:
        """The name of the model in tables."""
        return "cnn"


Config = LanguageConfig | VisionConfig


@dataclass(frozen=True)
class Task:
    """A model to train.

    Attributes:
        parameters: what is trained.
        losses: one after another a function that gives the loss of the next batch.
        probe: the loss of the fixed batch.
        judge: mean loss and accuracy on "validation" or "test".
    """

    parameters: list[Tensor]
    losses: Iterator[Callable[[], Tensor]]
    probe: Callable[[], Tensor]
    judge: Callable[[str], tuple[float, float]]


def make_task(config: Config, seed: int) -> Task:
    """The task of a configuration.

    Args:
        config: which model, which data.
        seed: decides the first weights, where in the text reading begins or which rows are used,
            and the order of the batches.
    """
    if isinstance(config, LanguageConfig):
        return _language_task(config, seed)
    return _vision_task(config, seed)


class LanguageModel(nn.Module):
    """Embedding, LSTM, scores of the next token.

    torch's LSTM on a CPU can be differentiated twice, also in its fused form.
    """

    def __init__(self, tokens: int, config: LanguageConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, config.embedding)
        self.lstm = nn.LSTM(config.embedding, config.hidden, config.layers)
        self.output = nn.Linear(config.hidden, tokens)

    def forward(
        self, tokens: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Scores `(window, streams, tokens)` and the state after the window."""
        hidden, state = self.lstm(self.embedding(tokens), state)
        return self.output(hidden), state


def _language_task(config: LanguageConfig, seed: int) -> Task:
    data = load_language(config.data_set, config.level, most_tokens=config.most_tokens)
    model = LanguageModel(len(data.vocabulary), config)
    generator = torch.Generator().manual_seed(seed)
    reach = 1 / math.sqrt(config.hidden)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-reach, reach, generator=generator)
    # The text is read as a ring, from a place that the seed decides.
    start = int(torch.randint(len(data.train), (), generator=generator))
    train = torch.from_numpy(parallel_streams(np.roll(data.train, -start), config.streams))
    probe = torch.from_numpy(parallel_streams(data.train, config.probe_streams))
    parts = {"validation": data.validation, "test": data.test}
    judged = {
        part: torch.from_numpy(
            parallel_streams(tokens[: config.evaluation_tokens], EVALUATION_STREAMS)
        )
        for part, tokens in parts.items()
    }

    state: tuple[Tensor, Tensor] | None = None

    def next_loss(window: Tensor) -> Tensor:
        nonlocal state
        scores, (hidden, cell) = model(window[:-1], state)
        state = (hidden.detach(), cell.detach())
        return cross_entropy(scores.flatten(0, 1), window[1:].flatten())

    def losses() -> Iterator[Callable[[], Tensor]]:
        nonlocal state
        while True:
            state = None
            for first in range(0, len(train) - config.window, config.window):
                yield partial(next_loss, train[first : first + config.window + 1])

    @torch.no_grad()
    def judge(part: str) -> tuple[float, float]:
        tokens = judged[part]
        scores, _ = model(tokens[:-1], None)
        targets = tokens[1:].flatten()
        right = scores.flatten(0, 1).argmax(1) == targets
        return cross_entropy(scores.flatten(0, 1), targets).item(), right.float().mean().item()

    fixed = probe[: config.window + 1]

    def probe_loss() -> Tensor:
        scores, _ = model(fixed[:-1], None)
        return cross_entropy(scores.flatten(0, 1), fixed[1:].flatten())

    return Task(list(model.parameters()), losses(), probe_loss, judge)


@cache
def _images(data_set: str) -> ClassificationData:
    return load_digits() if data_set == "digits" else load_fashion_mnist()


def _vision_task(config: VisionConfig, seed: int) -> Task:
    data = _images(config.data_set)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(data.train_x), generator=generator).numpy()
    held = config.train_rows + config.validation_rows
    first, second = order[: config.train_rows], order[config.train_rows : held]
    arrays = {
        "train": (data.train_x[first], data.train_y[first]),
        "validation": (data.train_x[second], data.train_y[second]),
        "test": (data.test_x, data.test_y),
    }
    parts = {
        part: (torch.from_numpy(x).unsqueeze(1), torch.from_numpy(y))
        for part, (x, y) in arrays.items()
    }
    model = _network(config.channels, data.train_x.shape[1], len(data.classes), generator)
    train_x, train_y = parts["train"]

    def loss(rows: Tensor | slice) -> Tensor:
        return cross_entropy(model(train_x[rows]), train_y[rows])

    def losses() -> Iterator[Callable[[], Tensor]]:
        while True:
            shuffled = torch.randperm(len(train_x), generator=generator)
            for rows in shuffled.split(config.batch):
                yield partial(loss, rows)

    @torch.no_grad()
    def judge(part: str) -> tuple[float, float]:
        x, y = parts[part]
        scores = model(x)
        return cross_entropy(scores, y).item(), (scores.argmax(1) == y).float().mean().item()

    fixed = slice(config.probe_rows)
    return Task(list(model.parameters()), losses(), partial(loss, fixed), judge)


def _network(
    channels: tuple[int, int], side: int, classes: int, generator: torch.Generator
) -> nn.Sequential:
    first, second = channels
    reduced = -(-side // 4)
    model = nn.Sequential(
        nn.Conv2d(1, first, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(second * reduced**2, classes),
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.zero_()
            else:
                gain = 2 if parameter.dim() == 4 else 1
                deviation = math.sqrt(gain / parameter[0].numel())
                parameter.normal_(0, deviation, generator=generator)
    return model
