"""The browser checks: `make site-check`, after `make book`; plain `make test` leaves them alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.site.places import CHROMIUM, HERE, SITE


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect these checks only when they are asked for by name."""
    asked = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    return None if any(path.is_relative_to(HERE) for path in asked) else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each page of the site a test of its own."""
    if "page_name" in metafunc.fixturenames:
        pages = sorted(
            path.relative_to(SITE).as_posix()
            for path in SITE.rglob("*.html")
            if not {"_static", "_sources"} & set(path.relative_to(SITE).parts)
            and 'http-equiv="Refresh"' not in path.read_text(encoding="utf-8")
        )
        if not pages:
            raise pytest.UsageError(f"No page in {SITE}: run `make book` first.")
        metafunc.parametrize("page_name", pages)


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The address of the site, served on the loopback interface."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Requests are checked in the browser, not printed here."""

    handler = partial(Quiet, directory=str(SITE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for the whole session."""
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()
