"""Where the data files are: a registry of addresses and hashes, and the copy on this machine.

A file is looked for in the folder that the environment variable ``SCISPACES_DATA`` names, then in
the cache of this user, and is downloaded last. Whatever its origin, its sha256 is compared with
the registry before the first byte is used, so a result never rests on a file other than the one
registered.
"""

import csv
import os
import threading
import urllib.error
import urllib.request
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

with warnings.catch_warnings():
    # In a notebook pooch's progress bar, which is not used here, asks for widgets when imported.
    warnings.filterwarnings("ignore", message="IProgress not found")
    import pooch

CONNECTION_SECONDS = 4
TRANSFER_SECONDS = 30

_unreachable: dict[str, str] = {}
_verified: set[Path] = set()
_read: dict[str, str] = {}


class DataUnavailableError(RuntimeError):
    """A registered file is neither on this machine nor to be had over the network."""


@dataclass(frozen=True)
class Entry:
    """One line of the registry: a file, its fingerprint, its origin and its licence."""

    file: str
    sha256: str
    bytes: int
    url: str
    licence: str
    note: str

    @property
    def downloadable(self) -> bool:
        """Whether the address gives exactly this file, and not the source it was made from."""
        return self.note.startswith("byte-identical")


def _registry_file() -> Path:
    """The registry inside an installed wheel or, in a checkout, under ``data/``."""
    packaged = Path(__file__).with_name("registry.csv")
    return packaged if packaged.exists() else Path(__file__).parents[3] / "data" / "registry.csv"


@cache
def registry() -> dict[str, Entry]:
    """Every file the book can read, by its path in the registry.

    Example:
        >>> registry()["multilabel/mulan/emotions/emotions.xml"].bytes
        323
    """
    with _registry_file().open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        return {
            row["file"]: Entry(
                row["file"],
                row["sha256"],
                int(row["bytes"]),
                row["url"],
                row["licence"],
                row["note"],
            )
            for row in rows
        }


def _entry(file: str) -> Entry:
    if file not in registry():
        raise ValueError(f"`file` must be a path of the registry. Got {file!r}.")
    return registry()[file]


def _local(file: str) -> Path | None:
    """The file on this machine, or None."""
    folders = [Path(os.environ["SCISPACES_DATA"])] if os.environ.get("SCISPACES_DATA") else []
    folders.append(Path(pooch.os_cache("scispaces")))
    return next((folder / file for folder in folders if (folder / file).is_file()), None)


def _offline_reason(url: str) -> str | None:
    """Why nothing can be fetched from the host of this address, or None if it answers.

    The host is asked once per process. The question runs in a thread because a name lookup obeys
    no timeout.
    """
    if os.environ.get("SCISPACES_OFFLINE", "0") not in ("", "0"):
        return "SCISPACES_OFFLINE is set"
    host = urlsplit(url).netloc
    if host not in _unreachable:
        answer = [f"{host} did not answer within {CONNECTION_SECONDS} seconds"]

        def ask() -> None:
            try:
                request = urllib.request.Request(url, method="HEAD")
                urllib.request.urlopen(request, timeout=CONNECTION_SECONDS).close()
                answer[0] = ""
            except OSError as error:
                answer[0] = f"{host} cannot be reached ({error})"

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(CONNECTION_SECONDS)
        _unreachable[host] = answer[0]
    return _unreachable[host] or None


def available(prefix_or_file: str) -> bool:
    """Whether every registered file under a prefix is here or could be downloaded now.

    Nothing is downloaded. The answer comes within a few seconds without a network, and at once
    from the second question on.

    Args:
        prefix_or_file: a path of the registry or the beginning of several.

    Example:
        >>> available("multilabel/no-such-folder/")
        False
    """
    entries = [entry for file, entry in registry().items() if file.startswith(prefix_or_file)]
    missing = [entry for entry in entries if _local(entry.file) is None]
    return bool(entries) and all(
        entry.downloadable and _offline_reason(entry.url) is None for entry in missing
    )


def _download(entry: Entry) -> Path:
    advice = "put it into a folder of the same layout and name that folder in SCISPACES_DATA"
    if not entry.downloadable:
        raise DataUnavailableError(
            f"`{entry.file}` is not on this machine and no address gives it as it is ({entry.note})"
            f": {advice}."
        )
    reason = _offline_reason(entry.url)
    if reason is not None:
        raise DataUnavailableError(
            f"`{entry.file}` is not on this machine and {reason}: connect to the network, or "
            f"{advice}."
        )
    target = Path(pooch.os_cache("scispaces")) / entry.file
    try:
        pooch.retrieve(
            entry.url,
            known_hash=f"sha256:{entry.sha256}",
            fname=target.name,
            path=target.parent,
            downloader=pooch.HTTPDownloader(timeout=TRANSFER_SECONDS),
        )
    except OSError as error:
        host = urlsplit(entry.url).netloc
        _unreachable[host] = f"{host} broke off ({error})"
        raise DataUnavailableError(
            f"`{entry.file}` could not be downloaded ({error}): connect to the network, or "
            f"{advice}."
        ) from error
    return target


def path(file: str) -> Path:
    """The place of a registered file on this machine, downloaded if need be, its hash checked.

    Args:
        file: a path of the registry.

    Raises:
        ValueError: the file is not registered, or its content is not the registered one.
        DataUnavailableError: the file is not here and cannot be downloaded.
    """
    entry = _entry(file)
    place = _local(file) or _download(entry)
    if place not in _verified:
        found = pooch.file_hash(str(place), alg="sha256")
        if found != entry.sha256:
            raise ValueError(
                f"`{file}` must have sha256 {entry.sha256}. Got {found} in {place}: delete that "
                "copy or put the registered file in its place."
            )
        _verified.add(place)
    _read[file] = entry.sha256
    return place


def files_read() -> dict[str, str]:
    """The registered files this process has read so far, each with its sha256."""
    return dict(sorted(_read.items()))
