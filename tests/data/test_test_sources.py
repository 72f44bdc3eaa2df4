"""Tests that are chosen by their source."""

import json

import pytest

from trl_rltf.data import load_benchmark, select_tests


PAIRS = {"inputs": ["1", "2", "3"], "outputs": ["a", "b", "c"]}
SOURCES = ["original", "mutation", "model"]


def row(tests=PAIRS, sources=SOURCES):
    return {"problem_id": "p", "prompt": "q", "tests": json.dumps(tests), "solutions": [], "test_sources": sources}


def test_original_and_new_tests_are_told_apart():
    original, new = (select_tests(row(), source) for source in ("original", "new"))
    assert json.loads(original["tests"]) == {"inputs": ["1"], "outputs": ["a"]}
    assert json.loads(new["tests"]) == {"inputs": ["2", "3"], "outputs": ["b", "c"]}
    assert (original["test_sources"], new["test_sources"]) == (["original"], ["mutation", "model"])


def test_asserts_keep_their_setup():
    tests = {"asserts": ["assert f() == 1", "assert f() == 2", "assert f() == 3"], "setup": "x = 1"}
    assert json.loads(select_tests(row(tests), "original")["tests"]) == {
        "asserts": ["assert f() == 1"],
        "setup": "x = 1",
    }


def test_a_row_without_tests_of_a_source_is_none():
    assert select_tests(row(sources=["original"] * 3), "new") is None
    assert select_tests({"problem_id": "p", "tests": json.dumps(PAIRS)}, "new") is None
    assert select_tests({"tests": json.dumps(PAIRS)}, "original") == {"tests": json.dumps(PAIRS)}


def test_a_column_of_another_length_is_refused():
    with pytest.raises(ValueError, match="`test_sources` has 1 items, but there are 3 tests"):
        select_tests(row(sources=["original"]), "new")


def test_a_file_keeps_its_sources_when_it_is_loaded(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row()) + "\n")
    assert load_benchmark("columns", path)[0]["test_sources"] == SOURCES
    plain = {name: value for name, value in row().items() if name != "test_sources"}
    path.write_text(json.dumps(plain) + "\n")
    assert "test_sources" not in load_benchmark("columns", path).column_names


def test_sources_that_are_no_list_of_names_are_a_malformed_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row(sources="original")) + "\n")
    with pytest.raises(ValueError, match="column `test_sources`"):
        load_benchmark("columns", path)
