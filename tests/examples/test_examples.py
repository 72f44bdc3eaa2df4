"""Each example runs from a copy in an empty folder, most of them for at most two steps."""

import json
import re
import shutil

import architectures
import pytest
from source import ROOT
from test_package import COMMANDS


EXAMPLES = sorted(path.name for path in ROOT.glob("examples/*.py") if path.name not in COMMANDS)
SHORT = [
    *(
        "--max_steps",
        "2",
        "--per_device_train_batch_size",
        "4",
        "--num_generations",
        "2",
        "--max_completion_length",
        "8",
    ),
    *("--eval_samples", "1", "--eval_problems", "2", "--logging_steps", "1", "--warm_start_steps", "1"),
    *("--warm_start_batch_size", "4", "--warm_start_bug_share", "0", "--report_to", "none", "--disable_tqdm", "True"),
    *("--gradient_checkpointing", "False", "--dataloader_pin_memory", "False"),
]
ARGUMENTS = {
    "audit_weak_tests.py": ["--max_steps", "25"],
    "custom_token_reward.py": ["--max_steps", "2"],
    "evaluate_apps.py": "--dataset_name apps --dataset_test_split train --programs reference --preset paper".split(),
    "evaluate_mbpp.py": "--dataset_name mbpp.jsonl --programs reference --preset paper".split(),
    "grade_programs.py": [],
    "train_apps.py": SHORT,
    "train_critic.py": [
        *("--warm_start_steps", "1", "--max_steps", "2", "--num_samples", "1", "--eval_problems", "2"),
        *("--max_completion_length", "4", "--difficulties", "introductory", "--warm_start_bug_share", "0"),
        *("--warm_start_batch_size", "4", "--disable_tqdm", "True"),
    ],
    "train_mbpp.py": ["--model_name_or_path", "llama", "--dataset_name", "mbpp.jsonl", *SHORT],
    "train_paper_codet5.py": [
        *(
            "--model_name_or_path",
            "codet5",
            "--dataset_name",
            "apps",
            "--max_steps",
            "2",
            "--max_completion_length",
            "4",
        ),
    ],
    "train_repair.py": [
        *("--warm_start_steps", "1", "--max_steps", "2", "--max_completion_length", "8", "--disable_tqdm", "True"),
        *("--per_device_train_batch_size", "4", "--num_generations", "2", "--gradient_checkpointing", "False"),
        *("--dataloader_pin_memory", "False", "--report_to", "none"),
    ],
}
# In one process for all examples, since most of the time of each is the import of torch.
RUN_ALL = """
import contextlib, io, json, runpy, sys, traceback

results = {}
for name, arguments in json.loads(sys.argv[1]).items():
    sys.argv = [name, *arguments]
    printed, error = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        try:
            runpy.run_path(name, run_name="__main__")
        except BaseException:
            error = traceback.format_exc()
    results[name] = [printed.getvalue(), error]
with open("results.json", "w") as file:
    json.dump(results, file)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with copies of the examples, tiny problems in the layouts of APPS and MBPP, and tiny models."""
    folder = tmp_path_factory.mktemp("examples")
    for name in EXAMPLES:
        shutil.copy(ROOT / "examples" / name, folder)
    problem = folder / "apps" / "train" / "0000"
    problem.mkdir(parents=True)
    (problem / "question.txt").write_text("Print the sum of two numbers.\n")
    (problem / "input_output.json").write_text(json.dumps({"inputs": ["1 2\n"], "outputs": ["3\n"]}))
    (problem / "solutions.json").write_text(json.dumps(["print(sum(map(int, input().split())))\n"]))
    (problem / "metadata.json").write_text(json.dumps({"difficulty": "introductory"}))
    rows = [
        {
            "task_id": task,
            "text": f"Write a function to add {task}.",
            "code": f"def add(a):\n    return a + {task}",
            "test_list": [f"assert add(1) == {1 + task}"],
            "test_setup_code": "",
            "challenge_test_list": [],
        }
        for task in (11, 12, 601, 602)
    ]
    (folder / "mbpp.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("llama", "codet5"):
        for part in architectures.make(name):
            part.save_pretrained(folder / name)
    return folder


@pytest.fixture(scope="module")
def results(folder, run_script):
    """Printed text and error of each example."""
    run_script(RUN_ALL, json.dumps({name: ARGUMENTS[name] for name in EXAMPLES}), cwd=folder, timeout=280)
    return json.loads((folder / "results.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_from_a_copy_in_an_empty_folder(results, name):
    _, error = results[name]
    assert error is None, error


def test_training_ends_with_a_table_of_held_out_problems(results):
    for name in ("train_apps.py", "train_mbpp.py"):
        assert re.search(r"pass@1 .*%.*%.*\[", results[name][0]), name


def test_evaluation_compares_with_the_figures_of_the_benchmark(results):
    assert re.search(r"introductory.*pass@1.*100.0%.*4.16%", results["evaluate_apps.py"][0])
    assert re.search(r"all.*pass@1.*100.0%.*30.4%", results["evaluate_mbpp.py"][0])


def test_graded_programs_get_the_outcomes_that_their_names_say(results):
    outcomes = dict(re.findall(r"^(.*): ([A-Z_]+),", results["grade_programs.py"][0], re.MULTILINE))
    assert outcomes == {
        "right": "PASS",
        "wrong": "FAILURE",
        "raises": "RUNTIME_ERROR",
        "does not compile": "SYNTAX_ERROR",
        "does not end": "RUNTIME_ERROR",
    }


def test_the_gap_shows_that_a_policy_learns_a_weak_test_by_heart(results):
    printed = results["audit_weak_tests.py"][0]
    gaps = [float(gap) for gap in re.findall(r"^step \d+: passes .* gap (-?[\d.]+)$", printed, re.MULTILINE)]
    assert len(gaps) == 5
    assert gaps[0] < 0.15
    assert gaps[-1] > 0.2


def test_trained_models_are_saved(results, folder):
    for name in ("custom-token-reward", "mini-apps", "mini-critic", "codet5-apps", "repair"):
        assert (folder / "outputs" / name / "config.json").is_file(), name
