"""The few parts of R's file format that a table of word vectors needs."""

import lzma
import struct
from pathlib import Path
from typing import Any

import numpy as np

_MAGIC = b"RDX2\nX\n"
_VERSIONS = 12  # bytes that name the format's version and R's
_HAS_ATTRIBUTES, _HAS_TAG = 1 << 9, 1 << 10
_NULL, _REFERENCE, _GLOBAL = 254, 255, 253
_SYMBOL, _PAIRS, _POINTER, _CHARACTERS = 1, 2, 22, 9
_LOGICAL, _INTEGER, _REAL, _STRINGS, _LIST = 10, 13, 14, 16, 19


class _Reader:
    """A cursor over the serialised objects; R counts symbols and pointers to refer back to them."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.place = 0
        self.references: list[Any] = []

    def integer(self) -> int:
        (value,) = struct.unpack_from(">i", self.content, self.place)
        self.place += 4
        return int(value)

    def array(self, dtype: str) -> np.ndarray:
        count = self.integer()
        values = np.frombuffer(self.content, dtype, count, self.place)
        self.place += values.nbytes
        return values

    def item(self) -> Any:
        flags = self.integer()
        kind = flags & 255
        if kind in (_NULL, _GLOBAL):
            return None
        if kind == _REFERENCE:
            return self.references[(flags >> 8) - 1]
        if kind == _CHARACTERS:
            return self.characters()
        if kind == _SYMBOL:
            self.references.append(self.item())
            return self.references[-1]
        if kind == _POINTER:
            self.references.append(None)
            self.item(), self.item()
            if flags & _HAS_ATTRIBUTES:
                self.item()
            return None
        if kind == _PAIRS:
            return self.pairs(flags)
        return self.vector(kind, bool(flags & _HAS_ATTRIBUTES))

    def characters(self) -> str | None:
        length = self.integer()
        if length < 0:
            return None
        text = self.content[self.place : self.place + length]
        self.place += length
        return text.decode("utf-8")

    def pairs(self, flags: int) -> dict[str, Any]:
        """A linked list of named values, link by link."""
        found: dict[str, Any] = {}
        while True:
            if flags & _HAS_ATTRIBUTES:
                self.item()
            tag = self.item() if flags & _HAS_TAG else str(len(found))
            found[tag] = self.item()
            flags = self.integer()
            if flags & 255 != _PAIRS:
                return found

    def vector(self, kind: int, with_attributes: bool) -> Any:
        if kind in (_LOGICAL, _INTEGER):
            value: Any = self.array(">i4")
        elif kind == _REAL:
            value = self.array(">f8")
        elif kind in (_STRINGS, _LIST):
            value = [self.item() for _ in range(self.integer())]
        else:
            raise ValueError(f"An R object must be of a known type. Got type {kind}.")
        if not with_attributes:
            return value
        return {"value": value, **self.item()}


def read_rdata(path: Path) -> dict[str, Any]:
    """The objects that R's `save` has put into a file, xz-compressed, in format 2.

    Args:
        path: the file. Vectors of numbers become arrays, of strings lists, pairs dictionaries;
            an object with attributes a dictionary of them and of its `value`.

    Raises:
        ValueError: the file is of another format, or holds objects of other types.
    """
    content = lzma.decompress(path.read_bytes())
    if not content.startswith(_MAGIC):
        raise ValueError(f"`path` must be an R data file of format 2. Got {content[:8]!r}.")
    reader = _Reader(content)
    reader.place = len(_MAGIC) + _VERSIONS
    objects = reader.item()
    if not isinstance(objects, dict):
        raise ValueError("`path` must hold named objects.")
    return objects
