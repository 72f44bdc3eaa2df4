"""lighteval: a sample-level metric, computed through lighteval's own classes."""

import importlib.util

import pytest

from trl_rltf.integrations import pass_at_k_metric


IS_INSTALLED = importlib.util.find_spec("lighteval") is not None
pytestmark = pytest.mark.filterwarnings("ignore")
needs_lighteval = pytest.mark.skipif(not IS_INSTALLED, reason="lighteval is not installed")


@pytest.mark.skipif(IS_INSTALLED, reason="lighteval is installed")
def test_without_lighteval_the_error_says_what_to_install():
    with pytest.raises(ImportError, match="pip install lighteval"):
        pass_at_k_metric()


@pytest.mark.parametrize(("k", "n"), [(0, 1), (2, 1), (-1, None)])
def test_impossible_numbers_are_refused(k, n):
    with pytest.raises(ValueError, match=f"`k` is {k} and `n` is"):
        pass_at_k_metric(k, n)


@pytest.fixture
def problem(stdin_tests):
    """A function that makes a problem, and one that makes the response of a model to it."""
    from lighteval.models.model_output import ModelResponse
    from lighteval.tasks.requests import Doc

    def make(texts, specific=None):
        doc = Doc(query="Add.", choices=[""], gold_index=0, task_name="add|0", id="7")
        doc.specific = {"tests": stdin_tests} if specific is None else specific
        return doc, ModelResponse(text=list(texts))

    return make


@needs_lighteval
def test_the_metric_is_computed_for_all_problems_at_once(problem, completions, shares):
    from lighteval.metrics import apply_metric
    from lighteval.metrics.metrics import SampleLevelMetric

    metric = pass_at_k_metric()
    assert isinstance(metric, SampleLevelMetric)
    pairs = [problem([text]) for text in completions]
    rows = apply_metric([response for _, response in pairs], [doc for doc, _ in pairs], [metric])
    assert rows == [{"code_pass@k:k=1&n=1": float(share == 1.0)} for share in shares]
    mean = metric.get_corpus_aggregations()["code_pass@k:k=1&n=1"]
    assert mean([row["code_pass@k:k=1&n=1"] for row in rows]) == 1 / 8


@needs_lighteval
def test_a_single_problem_is_estimated_from_all_its_completions(problem, completions):
    metric = pass_at_k_metric(k=2, n=4)
    doc, response = problem(completions)
    assert metric.compute_sample(doc=doc, model_response=response) == {"code_pass@k:k=2&n=4": 0.5}


@needs_lighteval
def test_the_format_of_its_live_code_bench_is_read(problem, stdin_tests):
    specific = {"inputs": ["1\n2"], "outputs": ["3"], "fn_name": "add"}
    doc, response = problem(["```python\ndef add(a, b):\n    return a + b\n```"], specific)
    assert pass_at_k_metric().compute_sample(doc=doc, model_response=response) == {"code_pass@k:k=1&n=1": 1.0}
    doc, response = problem([f"```python\nprint({n})\n```" for n in (3, 4)], {**stdin_tests, "fn_name": None})
    assert pass_at_k_metric(n=2).compute_sample(doc=doc, model_response=response) == {"code_pass@k:k=1&n=2": 0.0}


@needs_lighteval
def test_limits_of_a_problem_replace_those_of_the_runner(problem, limited, stdin_tests):
    pairs = [
        problem([text], {**tests, **row})
        for text, row, _ in limited
        for tests in (stdin_tests, {"tests": stdin_tests})
    ]
    found = pass_at_k_metric().sample_level_fn.compute(
        docs=[doc for doc, _ in pairs], responses=[response for _, response in pairs]
    )
    assert found == [share for *_, share in limited for _ in range(2)]


@needs_lighteval
def test_malformed_tests_are_an_error_that_names_the_problem(problem):
    for specific, message in (({}, "`Doc.specific` is empty"), ({"tests": {"inputs": []}}, "unknown format")):
        doc, response = problem(["print(1)"], specific)
        with pytest.raises(ValueError, match=rf"problem 0 \(task 'add|0', id '7'\).*{message}"):
            pass_at_k_metric().compute_sample(doc=doc, model_response=response)


@needs_lighteval
def test_too_few_completions_are_an_error(problem):
    doc, response = problem(["print(1)"])
    with pytest.raises(ValueError, match="pass@2 needs at least 2 completions, found 1"):
        pass_at_k_metric(k=2).compute_sample(doc=doc, model_response=response)


@needs_lighteval
def test_a_task_samples_as_many_completions_as_the_metric_needs():
    from lighteval.tasks.lighteval_task import LightevalTask, LightevalTaskConfig

    config = LightevalTaskConfig(
        name="add",
        prompt_function=lambda line, task_name=None: None,
        hf_repo="none",
        hf_subset="default",
        metrics=[pass_at_k_metric(k=1, n=5)],
        evaluation_splits=["test"],
        hf_avail_splits=["test"],
        generation_size=8,
        stop_sequence=[],
    )
    assert max(LightevalTask(config).num_samples) == 5
    assert "CodePassAtK" in str(config.metrics[0].sample_level_fn)


@needs_lighteval
def test_parameters_may_be_changed_as_for_its_own_metrics():
    metric = pass_at_k_metric()({"k": 2, "n": 3})
    assert (metric.sample_level_fn.k, metric.sample_level_fn.num_samples()) == (2, 3)
