"""A pytest plugin: which test checks which equation or discrepancy, and how it went.

Load it with `pytest_plugins = ["scispaces.evidence.checks"]`; `--checks-json PATH` writes the
outcomes of `@pytest.mark.equation(label)` and `@pytest.mark.discrepancy(identifier)`.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from scispaces.evidence import project

MARKS = {"equation": "equations", "discrepancy": "discrepancies"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--checks-json", metavar="PATH", help="write the outcome of every check here")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--checks-json"):
        config.pluginmanager.register(_Outcomes(Path(path), config.rootpath), "scispaces-checks")


class _Outcomes:
    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self.root = root
        self.checks: dict[str, dict[str, Any]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            marks = [
                (mark.name, mark.args[0]) for mark in item.iter_markers() if mark.name in MARKS
            ]
            if marks and isinstance(item, pytest.Function):
                self.checks[item.nodeid] = {"marks": marks, **self._describe(item)}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        check = self.checks.get(report.nodeid)
        if check is not None and (report.when == "call" or report.outcome != "passed"):
            check["outcome"] = report.outcome

    def pytest_sessionfinish(self) -> None:
        table: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in MARKS.values()}
        for nodeid, check in sorted(self.checks.items()):
            entry = {"test": nodeid, **check}
            for name, argument in entry.pop("marks"):
                table[MARKS[name]].setdefault(argument, []).append(entry)
        project.write_atomically(self.path, json.dumps(table, indent=1, sort_keys=True))

    def _describe(self, item: pytest.Function) -> dict[str, Any]:
        function = _written(item.function)
        says = (inspect.getdoc(function) or "").partition("\n")[0]
        if not says:
            raise pytest.UsageError(f"A check must say what it checks, in {item.nodeid}")
        source, line = inspect.getsourcelines(function)
        return {
            "says": says,
            "outcome": "not run",
            "file": Path(inspect.getfile(function)).resolve().relative_to(self.root).as_posix(),
            "line": line,
            "source": "".join(source),
        }


def _written(function: Any) -> Any:
    """Return the test as it stands in the file, under hypothesis and other decorators."""
    if hasattr(function, "hypothesis"):
        function = function.hypothesis.inner_test
    return inspect.unwrap(function)
