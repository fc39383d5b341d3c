"""One set of packages, written down three times: the three must agree."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = dict(
    line.split("==")
    for line in (ROOT / "requirements.lock").read_text().splitlines()
    if not line.startswith("#")
)
PINS = {canonicalize_name(name): version for name, version in LOCK.items()}


def declared():
    extras = PROJECT["optional-dependencies"].values()
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    return [Requirement(line) for line in lines]


def reachable():
    """Every package that the declared ones need, through the installed metadata."""
    waiting = [(requirement, frozenset({""})) for requirement in declared()]
    found = set()
    while waiting:
        requirement, extras = waiting.pop()
        name = canonicalize_name(requirement.name)
        wanted = any(
            requirement.marker is None or requirement.marker.evaluate({"extra": extra})
            for extra in extras
        )
        if not wanted or (name, tuple(requirement.extras)) in found:
            continue
        found.add((name, tuple(requirement.extras)))
        needs = map(Requirement, metadata.requires(name) or ())
        waiting += [(need, frozenset({"", *requirement.extras})) for need in needs]
    return {name for name, _ in found}


def test_every_declared_package_is_pinned_within_its_range():
    for requirement in declared():
        assert PINS[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_lock_holds_what_is_needed_and_nothing_else():
    assert set(PINS) == reachable() - {"scispaces"}


def test_the_environment_is_the_locked_one():
    installed = {
        canonicalize_name(entry.name): entry.version.partition("+")[0]
        for entry in metadata.distributions()
    }
    assert {name: installed.get(name) for name in PINS} == PINS


def test_the_lock_names_versions_and_no_address():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "--" not in text
    assert all(re.fullmatch(r"[\w.]+", version) for version in PINS.values())


def test_conda_users_get_the_same_set():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, _, pip = environment["dependencies"]
    assert pip["pip"] == ["-r requirements.lock", "-e ."]
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert python == f"python={oldest}"


def test_the_versions_of_the_project_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert citation["version"] == PROJECT["version"] == newest.group(1)
