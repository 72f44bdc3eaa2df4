"""The pass@k metric, loaded by `evaluate`."""

import json
import math

import evaluate
import numpy as np
import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.metrics import PASS_AT_K, choose_ks, estimate_pass_at_k


ADD = ["def add(a, b):\n    return a + b", "def add(a, b):\n    return a - b"]


@pytest.fixture
def metric(tmp_path):
    return evaluate.load(PASS_AT_K, cache_dir=str(tmp_path))


def slow_pass_at_k(n, c, k):
    return 1 - math.comb(n - c, k) / math.comb(n, k)


@pytest.mark.parametrize("n", [1, 5, 20, 200])
def test_the_estimate_agrees_with_the_binomials(n):
    for c in range(0, n + 1, max(1, n // 7)):
        for k in {1, min(5, n), n}:
            assert estimate_pass_at_k([n], [c], k)[0] == pytest.approx(slow_pass_at_k(n, c, k))


def test_the_estimate_is_unbiased():
    rng = np.random.default_rng(0)
    correct = rng.binomial(10, 0.3, size=20_000)
    assert estimate_pass_at_k([10] * len(correct), correct, 5).mean() == pytest.approx(1 - 0.7**5, abs=0.01)


@pytest.mark.parametrize(
    ("samples", "correct", "k", "message"),
    [
        ([3, 2], [1, 1], 3, "needs at least 3 samples per problem, but problem 1 has 2"),
        ([3], [4], 1, "4 of them cannot be correct"),
        ([3], [1], 0, "`k` is 0"),
        ([3, 3], [1], 1, "one entry per problem"),
    ],
)
def test_impossible_counts_are_refused(samples, correct, k, message):
    with pytest.raises(ValueError, match=message):
        estimate_pass_at_k(samples, correct, k)


def test_it_grades_in_the_way_of_code_eval(metric):
    scores, results = metric.compute(predictions=[ADD], references=["assert add(2, 3) == 5"], k=[1, 2])
    assert scores == {"pass@1": 0.5, "pass@2": 1.0}
    assert [result["passed"] for _, result in results[0]] == [True, False]
    assert results[0][1] == (
        1,
        {"task_id": 0, "passed": False, "result": "failure", "completion_id": 1, "num_passed": 0, "num_tests": 1},
    )


def test_it_takes_all_test_formats(metric):
    call = {"fn_name": "add", "inputs": [[1, 2]], "outputs": [3]}
    check = "def check(f):\n    for n in range(3):\n        assert f(n, n) == 2 * n\ncheck(add)"
    scores, _ = metric.compute(
        predictions=[[SUM_PROGRAM], ADD[:1], ADD[:1]],
        references=[json.dumps(SUM_TESTS), json.dumps(call), check],
        k=[1],
    )
    assert scores == {"pass@1": 1.0}


def test_more_than_the_samples_is_an_error_not_dropped(metric):
    with pytest.raises(ValueError, match="pass@10 needs at least 10 samples per problem, but problem 0 has 2"):
        metric.compute(predictions=[ADD], references=["assert add(2, 3) == 5"])


def test_it_refuses_to_run_model_code_without_the_opt_in(metric, monkeypatch):
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "0")
    with pytest.raises(ValueError, match="HF_ALLOW_CODE_EVAL=1"):
        metric.compute(predictions=[ADD], references=["assert add(2, 3) == 5"], k=[1])
    metric.compute(predictions=[ADD], references=["assert add(2, 3) == 5"], k=[1], allow_code_eval=True)


def test_malformed_references_are_named(metric):
    with pytest.raises(ValueError, match="reference 1: "):
        metric.compute(predictions=[ADD, ADD], references=["assert add(2, 3) == 5", "assert ("], k=[1])


def test_the_documentation_is_shown(metric):
    assert "pass@k" in metric.description
    assert "HF_ALLOW_CODE_EVAL" in metric.inputs_description


@pytest.mark.parametrize(
    "k", [1, [1], (1, 1), np.int64(1), np.int8(1), np.array(1), np.array([1, 1]), [np.int32(1)], {1}, range(1, 2)]
)
def test_whole_numbers_of_any_type_are_a_k(metric, k):
    scores, _ = metric.compute(predictions=[ADD], references=["assert add(2, 3) == 5"], k=k)
    assert scores == {"pass@1": 0.5}
    assert list(scores) == ["pass@1"]


@pytest.mark.parametrize(
    ("k", "message"),
    [
        (1.5, "`k` is 1.5, but must be a whole number"),
        ([1.5], "`k` is 1.5, but must be a whole number"),
        (1.0, "must be a whole number"),
        (np.array([1.0]), "must be a whole number"),
        (np.float64(1), "must be a whole number"),
        (True, "`k` is True"),
        ([np.bool_(True)], "must be a whole number"),
        (np.array(True), "must be a whole number"),
        ("1", "`k` is '1'"),
        (["1"], "`k` is '1'"),
        (b"1", "must be a whole number"),
        (None, "`k` is None"),
        ([None], "`k` is None"),
        ([[1]], r"`k` is \[1\]"),
        ([], "`k` is empty"),
        (np.array([], dtype=int), "`k` is empty"),
        (0, "`k` is 0, but must be at least 1"),
        ([1, -1], "`k` is -1, but must be at least 1"),
        (float("nan"), "must be a whole number"),
    ],
)
def test_any_other_k_is_refused(metric, k, message):
    with pytest.raises(ValueError, match=message):
        metric.compute(predictions=[ADD], references=["assert add(2, 3) == 5"], k=k)
    with pytest.raises(ValueError, match=message):
        choose_ks(k, num_samples=2) if k is not None else choose_ks([None], num_samples=2)


def test_several_k_and_counts_that_are_not_whole_are_refused_for_an_estimate():
    with pytest.raises(ValueError, match="one `k`"):
        estimate_pass_at_k([3], [1], [1, 2])
    with pytest.raises(ValueError, match="must be whole numbers"):
        estimate_pass_at_k([3.0], [1], 1)
    assert estimate_pass_at_k([3], [1], np.int64(3)).tolist() == [1.0]


def test_the_k_of_an_evaluation_are_sorted_and_each_is_there_once():
    assert choose_ks([5, 1, 5, np.int64(1)], num_samples=5) == [1, 5]
    assert choose_ks(3, num_samples=5) == [3]
