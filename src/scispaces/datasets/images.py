"""Images as arrays: MNIST and Fashion-MNIST, CIFAR-10 from JPEG copies, scikit-learn's digits."""

import gzip
import io
import struct
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits as bundled_digits

from scispaces.datasets.classification import ClassificationData
from scispaces.datasets.store import path

UNSIGNED_BYTES = 0x08
SIDE = 28
DIGITS = tuple(str(digit) for digit in range(10))
CLOTHES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
OBJECTS = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
DIGITS_TEST_ROWS_PER_CLASS = 54
DIGITS_SPLIT_SEED = 0


def read_idx(content: bytes, name: str) -> NDArray[np.uint8]:
    """The array of a file in idx format, the format of MNIST, already decompressed.

    Four bytes come first: two zeros, the type of the elements, the number of axes; then the size
    of every axis as a big-endian integer of four bytes, then the elements.

    Args:
        content: the whole file.
        name: what to call it in an error.

    Raises:
        ValueError: the header is not that of unsigned bytes, or the length does not agree with it.

    Example:
        >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), "two bytes").tolist()
        [7, 9]
    """
    if len(content) < 4 or content[:3] != bytes([0, 0, UNSIGNED_BYTES]):
        raise ValueError(
            f"An idx file of unsigned bytes must begin with 00 00 08. Got {content[:3].hex(' ')!r} "
            f"in {name}."
        )
    axes = content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise ValueError(
            f"An idx file with {axes} axes must have a header of {start} bytes. "
            f"Got {len(content)} bytes in {name}."
        )
    shape = struct.unpack(f">{axes}I", content[4:start])
    expected = start + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected:
        raise ValueError(
            f"An idx file of shape {shape} must have {expected} bytes. "
            f"Got {len(content)} in {name}."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _idx_part(folder: str, part: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images in [0, 1] and classes of one part, checked against each other."""
    files = [f"{folder}/{part}-images-idx3-ubyte.gz", f"{folder}/{part}-labels-idx1-ubyte.gz"]
    images, labels = (read_idx(gzip.decompress(path(file).read_bytes()), file) for file in files)
    if images.shape[1:] != (SIDE, SIDE) or labels.shape != images.shape[:1]:
        raise ValueError(
            f"`{files[0]}` must hold images of {SIDE} x {SIDE} pixels, as many as there are "
            f"labels. Got shapes {images.shape} and {labels.shape}."
        )
    return images.astype(np.float32) / np.float32(255), labels.astype(np.int64)


def _idx_data(name: str, classes: tuple[str, ...]) -> ClassificationData:
    train, test = _idx_part(name, "train"), _idx_part(name, "t10k")
    return ClassificationData(name, *train, *test, classes)


@cache
def load_mnist() -> ClassificationData:
    """MNIST: 60,000 and 10,000 handwritten digits, `(rows, 28, 28)` in [0, 1].

    Read once per process; the arrays are shared, so do not write into them.

    Raises:
        DataUnavailableError: the files are not here and cannot be downloaded.

    Reference:
        [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
        document recognition", Proceedings of the IEEE 86 (1998), 2278-2324.
    """
    return _idx_data("mnist", DIGITS)


@cache
def load_fashion_mnist() -> ClassificationData:
    """Fashion-MNIST: 60,000 and 10,000 pictures of clothes, `(rows, 28, 28)` in [0, 1].

    Read once per process; the arrays are shared, so do not write into them.

    Raises:
        DataUnavailableError: the files are not here and cannot be downloaded.

    Reference:
        [1] H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking
        machine learning algorithms", arXiv 1708.07747 (2017).
    """
    return _idx_data("fashion-mnist", CLOTHES)


def _jpeg_part(part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    # Only the environment of the book has Pillow, the library does without.
    from PIL import Image

    with np.load(path(f"cifar10-jpeg/cifar10_jpeg_{part}.npz")) as stored:
        content, start, labels = stored["jpeg"].tobytes(), stored["start"], stored["label"]
    pictures = [
        np.asarray(Image.open(io.BytesIO(content[begin:end])).convert("RGB"))
        for begin, end in zip(start[:-1].tolist(), start[1:].tolist(), strict=True)
    ]
    return np.stack(pictures), labels.astype(np.int64)


@cache
def load_cifar10_jpeg() -> tuple[
    NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]
]:
    """CIFAR-10 from a copy that stored every picture as JPEG of quality 75.

    These are not the published pixels: compression lost something (about 30 dB remain), so a
    number from this copy is not comparable to the last digit with one from the original.

    Returns:
        Training pictures `(50000, 32, 32, 3)` as uint8 and their classes, then the 10,000 of the
        test. Decoded once per process; the arrays are shared, so do not write into them.

    Raises:
        DataUnavailableError: the files are not here.
        ImportError: Pillow is not installed.

    Reference:
        [1] A. Krizhevsky, "Learning multiple layers of features from tiny images" (2009).
    """
    return *_jpeg_part("train"), *_jpeg_part("test")


@cache
def load_digits() -> ClassificationData:
    """Scikit-learn's 1,797 digits of 8 × 8 pixels, with a balanced test part; no download.

    Fifty-four images of every digit are the test, drawn with a fixed seed; at least 120 of every
    digit remain for training.

    Example:
        >>> data = load_digits()
        >>> data.train_x.shape, data.test_x.shape
        ((1257, 8, 8), (540, 8, 8))
    """
    images, digits = bundled_digits(return_X_y=True)
    order = np.random.default_rng(DIGITS_SPLIT_SEED).permutation(len(images))
    by_class = [order[digits[order] == digit] for digit in range(10)]
    test = np.sort(np.concatenate([rows[:DIGITS_TEST_ROWS_PER_CLASS] for rows in by_class]))
    train = np.setdiff1d(order, test)
    scaled = (images.reshape(-1, 8, 8) / 16).astype(np.float32)
    targets = digits.astype(np.int64)
    return ClassificationData(
        "digits", scaled[train], targets[train], scaled[test], targets[test], DIGITS
    )
