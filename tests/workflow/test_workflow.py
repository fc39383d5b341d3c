"""The graph of jobs, run for real on a small checkout with two tiny chapters."""

import json
import os
import signal
import subprocess
import time

import pytest
from tests.workflow.conftest import command, environment, snakemake, write_chapter


def results(checkout, slug):
    return json.loads((checkout / f"_build/results/{slug}.json").read_text())


@pytest.fixture(scope="module")
def built(checkout):
    output = snakemake(checkout)
    assert output.count("rule execute:") == 2
    return checkout


def test_results_hold_the_number_and_its_provenance(built):
    document = results(built, "first")
    assert document["records"]["first/one"]["value"] == 1
    assert document["records"]["first/one"]["cell"] == "first-002"
    origin = document["provenance"]
    assert set(origin) >= {
        "commit",
        "notebook",
        "hardware",
        "device",
        "packages",
        "modules",
        "data",
    }
    assert "scispaces.evidence.records" in origin["modules"]
    assert not any(name.startswith("scispaces.losses") for name in origin["modules"])
    assert document["run"]["seconds"] > 0


def test_an_unchanged_build_does_nothing_quickly(built):
    start = time.perf_counter()
    output = snakemake(built)
    assert "Nothing to be done" in output
    assert time.perf_counter() - start < 10


def test_a_touched_file_with_the_same_content_does_nothing(built):
    (built / "src/scispaces/losses/__init__.py").touch()
    (built / "notebooks/second.md").touch()
    assert "Nothing to be done" in snakemake(built)


def test_a_changed_loss_runs_only_the_chapter_that_imports_it_and_says_why(built):
    path = built / "src/scispaces/losses/__init__.py"
    before = path.read_text()
    path.write_text(before + "\n# changed\n")
    plan = snakemake(built, "--dry-run")
    path.write_text(before)
    assert "_build/results/first.json" in plan
    assert "_build/results/second.json" not in plan.split("rule verify")[0]
    assert "Updated input files: src/scispaces/losses/__init__.py" in plan


def test_a_new_profile_runs_both_chapters(built):
    assert snakemake(built, "--dry-run", "--config", "profile=other").count("rule execute:") == 2


def test_a_killed_execution_leaves_nothing_half_written(built):
    before = (built / "_build/results/second.json").read_text()
    write_chapter(built, "second", "datasets", pause=60)
    process = subprocess.Popen(
        command(), cwd=built, env=environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    kernels = ["pgrep", "-g", str(os.getpgid(process.pid)), "-f", "scispaces run second"]
    deadline = time.monotonic() + 60
    while subprocess.run(kernels, capture_output=True).returncode and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert deadline > time.monotonic(), "the execution never began"
    result = built / "_build/results/second.json"
    assert not result.exists() or result.read_text() == before
    write_chapter(built, "second", "datasets", pause=0.5)
    assert "rule execute:" in snakemake(built)
    assert results(built, "second")["records"]["second/one"]["value"] == 1
    assert "Nothing to be done" in snakemake(built)


def test_a_failing_cell_stops_the_build_and_names_itself(built):
    path = built / "notebooks/second.md"
    before = path.read_text()
    path.write_text(before.replace('record("second/one", 1)', "raise RuntimeError('on purpose')"))
    done = subprocess.run(command(), cwd=built, env=environment(), capture_output=True, text=True)
    path.write_text(before)
    assert done.returncode != 0
    assert "on purpose" in done.stdout + done.stderr
    assert (built / "_build/failed/second.ipynb").is_file()
    assert "rule execute:" in snakemake(built)


def test_a_broken_claim_fails_with_a_table(built):
    path = built / "data/claims/first.yml"
    before = path.read_text()
    path.write_text(before.replace("expected: 1", "expected: 2"))
    done = subprocess.run(command(), cwd=built, env=environment(), capture_output=True, text=True)
    path.write_text(before)
    assert done.returncode != 0
    assert "first/one" in done.stdout
    assert "out of tolerance" in done.stdout
    assert "rule verify:" in snakemake(built)
