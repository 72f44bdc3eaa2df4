"""lm-evaluation-harness and `evaluate`: the same call and the same results as `code_eval`."""

import importlib.util
import json
import os
import textwrap

import evaluate
import pytest

from trl_rltf.integrations import CODE_EVAL, compute_code_eval, pass_at_1, pass_at_k


needs_lm_eval = pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="lm_eval is not installed")
REFERENCES = ["assert add(2, 3) == 5", "assert one() == 1\nassert one() != 2"]
PREDICTIONS = [
    [
        "def add(a, b): return a * b",
        "def add(a, b): return a + b",
        "def add(a, b) return 1",
        "def add(a, b): return c",
    ],
    ["def one(): return 1", "def one():\n    while True: pass", "import os\nos._exit(0)"],
]
RESULTS = [
    [
        "failed: 0 of 1 tests passed",
        "passed",
        "failed: SyntaxError: expected ':'",
        "failed: NameError: name 'c' is not defined",
    ],
    ["passed", "timed out", "failed: SystemExit: 0"],
]


@pytest.fixture(scope="module")
def metric():
    """Our `code_eval`, loaded by `evaluate`."""
    return evaluate.load(CODE_EVAL)


def check(scores, results):
    assert scores == pytest.approx({"pass@1": (1 / 4 + 1 / 3) / 2, "pass@2": (1 / 2 + 2 / 3) / 2})
    assert sorted(results) == [0, 1]
    for task, row in results.items():
        assert [index for index, _ in row] == list(range(len(row)))
        assert all(sorted(result) == ["completion_id", "passed", "result", "task_id"] for _, result in row)
        assert [result["task_id"] for _, result in row] == [task] * len(row)
        assert [result["completion_id"] for _, result in row] == list(range(len(row)))
        assert [result["passed"] for _, result in row] == [text == "passed" for text in RESULTS[task]]
        found = [result["result"] for _, result in row]
        assert found[:-1] == RESULTS[task][:-1]


def test_the_results_have_the_shape_of_code_eval(metric):
    check(*metric.compute(references=REFERENCES, predictions=PREDICTIONS, k=[1, 2, 10]))
    check(*metric.compute(references=REFERENCES, predictions=PREDICTIONS, k=[1, 2], num_workers=1, timeout=1.0))
    check(*compute_code_eval(references=REFERENCES, predictions=PREDICTIONS, k=[1, 2, 10]))


def test_the_default_k_is_that_of_code_eval(metric):
    scores, _ = metric.compute(references=REFERENCES[:1], predictions=[["def add(a, b): return a + b"]])
    assert scores == {"pass@1": 1.0}


def test_an_error_after_the_functions_counts_as_in_code_eval():
    scores, results = compute_code_eval([["def one(): return 1\nraise ValueError"]], REFERENCES[1:], [1])
    assert scores == {"pass@1": 0.0}
    assert not results[0][0][1]["passed"]


def test_the_functions_of_tasks_return_what_lm_eval_takes():
    assert pass_at_k(REFERENCES[:1], [["def add(a, b): return a + b"]], k=1) == {"pass@1": 1.0}
    assert pass_at_1(REFERENCES[0], ["def add(a, b): return a + b"]) == 1.0
    assert pass_at_1(REFERENCES[:1], [["def add(a, b): return a - b"]]) == 0.0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([["x"]], ["assert ("]), ValueError, "reference 0: "),
        (([["x"], ["x"]], ["assert f()", "  "]), ValueError, "reference 1: "),
        (([["x"]], [None]), TypeError, "reference 0 is of type NoneType"),
        ((["x"], ["assert f()"]), TypeError, "prediction 0 is of type str"),
        (([[None]], ["assert f()"]), TypeError, "prediction 0 has a candidate of type NoneType"),
        (([["x"]], ["assert f()"] * 2), ValueError, "1 predictions and 2 references"),
        (([["x"]], ["assert f()"], [0]), ValueError, r"`k` is \[0\]"),
    ],
)
def test_malformed_arguments_are_an_error_that_names_the_row(arguments, error, message):
    with pytest.raises(error, match=message):
        compute_code_eval(*arguments)


def test_without_the_opt_in_nothing_runs(metric, monkeypatch):
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "0")
    with pytest.raises(ValueError, match="HF_ALLOW_CODE_EVAL=1"):
        metric.compute(references=REFERENCES[:1], predictions=[["x"]], k=[1])


def test_a_folder_of_that_name_replaces_code_eval(run_script, tmp_path):
    (tmp_path / "code_eval").symlink_to(CODE_EVAL)
    code = (
        "import evaluate; metric = evaluate.load('code_eval'); "
        "print(metric.compute(references=['assert f() == 1'], predictions=[['def f(): return 1']], k=[1]))"
    )
    assert "'result': 'passed'" in run_script(code, cwd=tmp_path, timeout=280.0).stdout


# ---------------------------------------------------------------------- with lm-evaluation-harness


@needs_lm_eval
@pytest.mark.filterwarnings("ignore")
def test_its_own_tasks_use_the_grader_that_the_folder_names(run_script, tmp_path):
    (tmp_path / "code_eval").symlink_to(CODE_EVAL)
    code = """
import lm_eval.tasks.humaneval.utils as humaneval
import lm_eval.tasks.mbpp.utils as mbpp
assert humaneval.compute_.__module__.startswith("evaluate_modules.metrics.code_eval"), humaneval.compute_.__module__
assert "trl-rltf" in humaneval.compute_.description
hostile = "import os, signal\\ndef f(): os.kill(os.getppid(), signal.SIGKILL)"
print(humaneval.pass_at_k(["assert f() == 1"], [["def f(): return 1", hostile]], k=1))
print(mbpp.pass_at_1("assert f() == 1", ["def f(): return 1"]))
"""
    assert run_script(code, cwd=tmp_path, timeout=280.0).stdout == "{'pass@1': 0.5}\n1.0\n"


TASK = """
task: two_problems
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
unsafe_code: true
output_type: generate_until
test_split: test
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{test}}}}"
metric_list:
  - metric: !function trl_rltf.integrations.lm_eval.{metric}
    aggregation: mean
    higher_is_better: true
    {arguments}
generation_kwargs:
  until: ["<none>"]
  max_gen_toks: 4
  do_sample: false
filter_list:
  - name: create_test
    filter:
      - function: custom
        filter_fn: !function utils.build_predictions
"""


@needs_lm_eval
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "arguments", "key"), [("pass_at_k", "k: [1]", "pass@1"), ("pass_at_1", "", "pass_at_1")]
)
def test_a_task_of_two_problems_is_evaluated(name, arguments, key, tmp_path, model, tokenizer, monkeypatch):
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = [
        {"prompt": "def one():", "code": "def one(): return 1", "test": "assert one() == 1"},
        {"prompt": "def two():", "code": "def two(): return 1", "test": "assert two() == 2"},
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = TASK.format(data=tmp_path / "data.jsonl", metric=name, arguments=arguments)
    (tmp_path / "two_problems.yaml").write_text(task)
    # What the untrained model writes stands in a comment, so that the verdicts are known.
    (tmp_path / "utils.py").write_text(
        textwrap.dedent(
            """
            def build_predictions(resps, docs):
                return [[doc["code"] + "  # " + ascii(r) for r in resp] for resp, doc in zip(resps, docs)]
            """
        )
    )
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    results = lm_eval.simple_evaluate(
        model=HFLM(pretrained=model, tokenizer=tokenizer, batch_size=2, device="cpu"),
        tasks=["two_problems"],
        task_manager=manager,
        confirm_run_unsafe_code=True,
        bootstrap_iters=0,
    )
    assert results["results"]["two_problems"][f"{key},create_test"] == 0.5
    samples = sorted(results["samples"]["two_problems"], key=lambda sample: sample["doc_id"])
    assert [sample[key] for sample in samples] == [1.0, 0.0]
    assert os.listdir(tmp_path)
