"""Finding, checking and refusing files; no test here needs a network."""

import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scispaces.datasets import DataUnavailableError, Entry, available, files_read, path, store

CONTENT = b"sixteen labels.\n"


def entry(file: str, url: str, note: str = "byte-identical") -> Entry:
    return Entry(file, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), url, "none", note)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with an empty cache, no data folder and a small registry of its own."""
    files = {
        "small/here.txt": entry("small/here.txt", "http://127.0.0.1:9/here.txt"),
        "small/packed.txt": entry("small/packed.txt", "http://127.0.0.1:9/x.tar", "repacked: x"),
    }
    monkeypatch.setattr(store, "registry", lambda: files)
    monkeypatch.setattr(store, "_unreachable", {})
    monkeypatch.setattr(store, "_verified", set())
    monkeypatch.setattr(store, "_read", {})
    monkeypatch.setattr(store.pooch, "os_cache", lambda _: tmp_path / "cache")
    monkeypatch.delenv("SCISPACES_DATA", raising=False)
    monkeypatch.delenv("SCISPACES_OFFLINE", raising=False)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a web server on this machine that has one file."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(CONTENT)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/here.txt"
    server.shutdown()
    server.server_close()


def put(folder: Path, file: str, content: bytes = CONTENT) -> Path:
    place = folder / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


@pytest.mark.parametrize("origin", ["data", "cache"])
def test_a_file_of_this_machine_is_used_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("SCISPACES_DATA", str(tmp_path / "data"))
    place = put(tmp_path / origin, "small/here.txt")
    assert available("small/here.txt")
    assert files_read() == {}
    assert path("small/here.txt") == place
    assert files_read() == {"small/here.txt": hashlib.sha256(CONTENT).hexdigest()}


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCISPACES_DATA", str(tmp_path))
    put(tmp_path, "small/here.txt", b"fifteen labels.\n")
    got = hashlib.sha256(b"fifteen labels.\n").hexdigest()
    expected = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(
        ValueError, match=rf"`small/here.txt` must have sha256 {expected}. Got {got}"
    ):
        path("small/here.txt")
    assert files_read() == {}


def test_the_hash_is_computed_once_per_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "cache", "small/here.txt")
    hashed = []
    real_hash = store.pooch.file_hash
    monkeypatch.setattr(
        store.pooch, "file_hash", lambda name, alg: hashed.append(name) or real_hash(name, alg)
    )
    assert path("small/here.txt") == path("small/here.txt")
    assert len(hashed) == 1


def test_without_a_network_the_answer_is_quick_and_says_what_to_do() -> None:
    started = time.monotonic()
    assert not available("small/here.txt")
    with pytest.raises(DataUnavailableError, match=r"not on this machine.*SCISPACES_DATA"):
        path("small/here.txt")
    assert time.monotonic() - started < 2 * store.CONNECTION_SECONDS


def test_a_host_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CONNECTION_SECONDS", 0.1)
    asleep = threading.Event()

    def never(*_: object, **__: object) -> None:
        asleep.wait(5)
        raise TimeoutError

    monkeypatch.setattr(store.urllib.request, "urlopen", never)
    started = time.monotonic()
    assert not available("small/here.txt")
    assert not available("small/here.txt")
    assert time.monotonic() - started < 1
    asleep.set()


def test_offline_means_local_files_only(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "registry", lambda: {"a": entry("a", served)})
    assert available("a")
    monkeypatch.setenv("SCISPACES_OFFLINE", "1")
    assert not available("a")
    with pytest.raises(DataUnavailableError, match="SCISPACES_OFFLINE is set"):
        path("a")


def test_a_missing_file_is_downloaded_into_the_cache(
    tmp_path: Path, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "registry", lambda: {"far/a.txt": entry("far/a.txt", served)})
    assert available("far/")
    assert path("far/a.txt") == tmp_path / "cache" / "far" / "a.txt"
    assert path("far/a.txt").read_bytes() == CONTENT


def test_a_repacked_file_is_never_downloaded() -> None:
    assert not available("small/packed.txt")
    with pytest.raises(DataUnavailableError, match=r"no address gives it as it is \(repacked: x\)"):
        path("small/packed.txt")


def test_an_unregistered_name_is_refused() -> None:
    assert not available("nowhere/")
    with pytest.raises(ValueError, match=r"must be a path of the registry\. Got 'nowhere/a'"):
        path("nowhere/a")
