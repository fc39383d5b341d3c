"""`record` and `recall`."""

import json

import numpy as np
import pytest
import torch

from scispaces.evidence import recall, record
from scispaces.evidence.records import finish


@pytest.fixture
def records(tmp_path, monkeypatch):
    path = tmp_path / "records.jsonl"
    monkeypatch.setenv("SCISPACES_RECORDS", str(path))
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


def test_a_plain_session_prints_the_number(capsys, monkeypatch):
    monkeypatch.delenv("SCISPACES_RECORDS", raising=False)
    assert record("zlpr/example", 0.5) == 0.5
    assert capsys.readouterr().out == "zlpr/example = 0.5\n"


def test_the_build_gets_value_seeds_interval_and_note(records, capsys):
    record("zlpr/example", 0.5, seeds=range(3), interval=(0.25, 0.75), note="why")
    assert records() == [
        {
            "id": "zlpr/example",
            "value": 0.5,
            "seeds": [0, 1, 2],
            "interval": [0.25, 0.75],
            "note": "why",
            "state": "verified",
            "origin": None,
            "cell": None,
        }
    ]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (torch.tensor(0.25), 0.25),
        ({"a": np.float32(0.5)}, {"a": 0.5}),
        ((1, 2.0), [1, 2.0]),
        ("text", "text"),
    ],
)
def test_scalars_of_numpy_and_torch_become_plain(records, value, plain):
    assert record("zlpr/example", value) is value
    [line] = records()
    assert line["value"] == plain
    assert type(line["value"]) is type(plain)


@pytest.mark.parametrize("value", [np.zeros(3), torch.zeros(2), object()])
def test_an_array_is_refused(records, value):
    with pytest.raises(TypeError, match="`value` must be a boolean, number or string"):
        record("zlpr/example", value)


@pytest.mark.parametrize("identifier", ["zlpr", "/name", "zlpr/", ""])
def test_an_identifier_without_chapter_or_name_is_refused(identifier):
    with pytest.raises(ValueError, match="must look like 'chapter/name'"):
        record(identifier, 1)


def test_recall_returns_the_stored_number_as_recorded(records, checkout):
    stored = {"value": 0.5, "seeds": [0], "interval": None, "note": None}
    checkout("data/recorded/zlpr.json", json.dumps({"records": {"zlpr/stored": stored}}))
    assert recall("zlpr/stored") == 0.5
    [line] = records()
    assert (line["state"], line["origin"], line["seeds"]) == ("recorded", "recall", [0])
    with pytest.raises(KeyError, match="must be stored in data"):
        recall("zlpr/unknown")


def test_finish_names_our_modules_and_the_packages(records):
    finish()
    [line] = records()
    assert set(line["finish"]) == {"device", "packages", "modules", "data"}
    assert len(line["finish"]["modules"]["scispaces.evidence.records"]) == 64
    assert line["finish"]["packages"]["torch"].startswith("2.13.0")


@pytest.mark.parametrize(
    ("recorded", "origin"), [(False, None), (True, "study"), ("timings", "timings")]
)
def test_a_stored_number_names_the_table_it_comes_from(records, recorded, origin):
    record("zlpr/example", 1, recorded=recorded)
    [line] = records()
    assert (line["state"] == "recorded", line["origin"]) == (bool(recorded), origin)
