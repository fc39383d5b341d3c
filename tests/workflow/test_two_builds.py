"""Two clean builds in two folders are the same, but for times and dates."""

import json
import re

import pytest
from bs4 import BeautifulSoup
from tests.workflow.conftest import make_checkout, snakemake


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    folders = [make_checkout(tmp_path_factory.mktemp(name)) for name in ("one", "another")]
    for folder in folders:
        snakemake(folder, target="_build/html/index.html")
    return [folder / "_build" for folder in folders]


def files(folder):
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if not name.endswith(".doctree")}


def page(path):
    soup = BeautifulSoup(path.read_text(), "html.parser")
    for element in soup.select(".volatile"):
        element.decompose()
    return str(soup)


def test_results_are_the_same_but_for_the_run(builds):
    for chapter in ("first", "second"):
        documents = [
            json.loads((build / f"results/{chapter}.json").read_text()) for build in builds
        ]
        assert all(document.pop("run")["seconds"] > 0 for document in documents)
        assert documents[0] == documents[1]
        assert documents[0]["records"]


def test_executed_notebooks_are_the_same(builds):
    one, another = [(build / "notebooks/first.ipynb").read_bytes() for build in builds]
    assert one == another


def test_the_sites_are_the_same_but_for_volatile_elements(builds):
    one, another = [build / "html" for build in builds]
    assert files(one) == files(another)
    assert "notebooks/first.html" in files(one)
    for name in sorted(files(one)):
        if name.endswith(".html"):
            assert page(one / name) == page(another / name), name
        elif name not in ("evidence.json", "objects.inv", ".buildinfo"):
            assert (one / name).read_bytes() == (another / name).read_bytes(), name


def test_the_site_shows_the_number_the_equation_and_its_check(builds):
    text = (builds[0] / "html/notebooks/first.html").read_text()
    assert re.search(r'class="num[^>]*claim-first-one', text)
    assert 'id="equation-first-sum"' in text
    assert "One and one is two." in text
    assert (builds[0] / "html/book/checks").is_dir()
