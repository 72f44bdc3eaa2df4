"""Problems of MiniAPPS-L: lengths, splits, tests, authors, and solutions that pass the real grader."""

import contextlib
import itertools
import json
import statistics

import pytest

from trl_rltf import make_mini_apps_long
from trl_rltf.data import visible_tests
from trl_rltf.execution import Outcome, Program
from trl_rltf.mini import make_mini_model
from trl_rltf.mini.long.authors import AUTHORS
from trl_rltf.mini.long.graph import Graph, Node
from trl_rltf.mini.long.outlines import NUM_HIDDEN_TESTS
from trl_rltf.mini.long.program import count_statements, write_program
from trl_rltf.mini.long.solutions import draw_solved_outlines, unseen_author
from trl_rltf.mini.long.stages import STAGES


GRAPH = Graph(("list",), (Node("falls", (0,)), Node("taken", (1,)), Node("above", (2,), 2)))


@pytest.fixture(scope="module")
def train():
    return make_mini_apps_long("train", num_problems=400)


@pytest.fixture(scope="module")
def test():
    return make_mini_apps_long("test", num_problems=200)


@pytest.fixture(scope="module")
def outlines():
    """Problems of both splits with their solutions."""
    return {split: list(draw_solved_outlines(split, 300, None, None, 0)) for split in ("train", "test")}


def statements_of(rows):
    return [count_statements(source) for row in rows for source in row["solutions"]]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("split", "seed"), [("train", 0), ("test", 1)])
def test_every_solution_passes_all_tests(runner, split, seed):
    rows = make_mini_apps_long(split, num_problems=160, num_tests=20, seed=seed)
    programs = [Program(source, row["tests"]) for row in rows for source in row["solutions"]]
    failed = [
        program.source
        for program, report in zip(programs, runner.run(programs), strict=True)
        if report.outcome is not Outcome.PASS
    ]
    assert len(programs) > 1000
    assert not failed, failed[0]


def test_a_few_solutions_pass_all_tests(runner):
    rows = make_mini_apps_long("test", num_problems=10)
    programs = [Program(source, row["tests"]) for row in rows for source in row["solutions"]]
    assert {report.outcome for report in runner.run(programs)} == {Outcome.PASS}


def test_the_solution_of_another_problem_does_not_pass(runner, test):
    stdin = [row for row in test if "fn_name" not in json.loads(row["tests"])]
    programs = [Program(row["solutions"][0], other["tests"]) for row, other in itertools.pairwise(stdin[:31])]
    assert Outcome.PASS not in {report.outcome for report in runner.run(programs)}


@pytest.mark.parametrize("seed", [0, 1])
def test_the_lengths_are_those_of_apps(seed):
    counts = statements_of(make_mini_apps_long("train", num_problems=400, seed=seed))
    quantiles = statistics.quantiles(counts, n=10)
    assert quantiles[0] == pytest.approx(7, abs=1)
    assert quantiles[4] == pytest.approx(18, abs=2)
    assert quantiles[8] == pytest.approx(30, abs=3)


@pytest.mark.parametrize("num_statements", [4, 8, 16, 30])
def test_the_dial_sets_the_length(num_statements):
    rows = make_mini_apps_long("test", num_problems=60, num_statements=num_statements)
    counts = statements_of(rows)
    assert statistics.median(counts) == pytest.approx(num_statements, rel=0.1, abs=1)
    assert statistics.quantiles(counts, n=10)[0] >= 0.7 * num_statements


def test_numbers_of_tests_are_those_of_apps(train, test):
    counts = [len(json.loads(tests)["inputs"]) for tests in train["tests"]]
    shares = [sum(low <= count <= high for count in counts) / len(counts) for low, high in ((1, 2), (5, 10), (15, 20))]
    assert shares == pytest.approx([0.6, 0.25, 0.15], abs=0.08)
    assert sum(shares) == pytest.approx(1)
    assert {len(json.loads(tests)["inputs"]) for tests in test["tests"]} == {NUM_HIDDEN_TESTS}


def test_more_tests_include_fewer_ones():
    few, many = (make_mini_apps_long("train", num_problems=20, num_tests=number) for number in (2, 20))
    assert few["prompt"] == many["prompt"]
    for row, other in zip(few, many, strict=True):
        tests, others = json.loads(row["tests"]), json.loads(other["tests"])
        assert tests["inputs"] == others["inputs"][:2]
        assert tests["outputs"] == others["outputs"][:2]


def test_no_test_is_the_example_and_no_two_are_equal(train, test):
    for row in [*train, *test]:
        tests, shown = json.loads(row["tests"]), visible_tests(row)
        inputs = [json.dumps(value) for value in tests["inputs"]]
        assert len(set(inputs)) == len(inputs)
        if shown is not None:
            assert len(shown["inputs"]) == 1
            assert shown["inputs"][0] not in tests["inputs"]


def test_the_example_of_a_prompt_is_right(runner, test):
    shown = [(row, visible_tests(row)) for row in test.select(range(40))]
    programs = [Program(row["solutions"][0], tests) for row, tests in shown if tests is not None]
    assert len(programs) > 20
    assert {report.outcome for report in runner.run(programs)} == {Outcome.PASS}


def test_a_constant_answers_at_most_half_of_the_tests(test):
    for row in test:
        outputs = [json.dumps(value) for value in json.loads(row["tests"])["outputs"]]
        assert max(map(outputs.count, outputs)) <= 10


def test_some_tests_are_harder_than_others():
    """A mistake at a tie or at an edge is seen by some tests only."""
    num_passed = set()
    for outline, _ in draw_solved_outlines("test", 40, 16, None, 0):
        stage = next((node.stage for node in outline.graph.nodes if STAGES[node.stage].has_mistake), None)
        scope = {}
        exec(write_program(outline.graph, AUTHORS[0], is_call=True, wrong={stage}), scope)
        passed = 0
        for inputs, answers in outline.tests:
            with contextlib.suppress(Exception):
                passed += scope["solve"](*inputs) == (answers if len(answers) > 1 else answers[0])
        num_passed.add(passed)
    assert len(num_passed) >= 8


def composition(graph):
    return graph.inputs, tuple((node.stage, node.arguments) for node in graph.nodes)


def test_splits_share_no_composition(outlines):
    train, test = ({composition(outline.graph) for outline, _ in outlines[split]} for split in ("train", "test"))
    assert not train & test
    assert len(train) > 200


@pytest.mark.parametrize("lengths", [(4, 4), (4, None), (8, 8)])
def test_splits_of_other_lengths_share_no_composition(lengths):
    train, test = (
        {composition(outline.graph) for outline, _ in draw_solved_outlines(split, 60, length, None, 0)}
        for split, length in zip(("train", "test"), lengths, strict=True)
    )
    assert not train & test


def test_an_author_leaves_some_stages_to_the_test_set(outlines):
    # Authors are told apart by the names of their inputs.
    first_names = {
        "letters": "a",
        "words": "numbers",
        "plain": "v1",
        "capitals": "A",
        "functions": "val1",
        "main": "step1",
    }
    seen = {"train": set(), "test": set()}
    for split, pairs in outlines.items():
        for outline, solutions in pairs:
            if outline.graph.inputs[0] != "list":
                continue
            for source in solutions:
                names = set(source.replace("(", " ").replace(")", " ").replace(",", " ").split())
                author = next(name for name, first in first_names.items() if first in names)
                seen[split] |= {(node.stage, author) for node in outline.graph.nodes}
    unseen = {(stage, author.name) for stage in STAGES if (author := unseen_author(stage, 0)) is not None}
    assert len(unseen) > 15
    assert not unseen & seen["train"]
    assert len(unseen & seen["test"]) > 10


def test_solutions_of_a_problem_differ(train, test):
    for row in [*train, *test]:
        assert 4 <= len(row["solutions"]) <= 12
        assert len(set(row["solutions"])) == len(row["solutions"])


def test_distinct_authors_write_distinct_programs():
    assert len({write_program(GRAPH, author) for author in AUTHORS}) == len(AUTHORS) == 6


def test_an_early_choice_binds_later_code():
    """Positions from 0, from 1 or as a mask are read in the way in which they were collected."""
    programs = {author.name: write_program(GRAPH, author) for author in AUTHORS}
    assert "b.append(i)" in programs["letters"]
    assert "c.append(a[i])" in programs["letters"]
    assert "falls.append(index + 1)" in programs["words"]
    assert "taken.append(numbers[index - 1])" in programs["words"]
    assert "v2 = [False] * len(v1)" in programs["plain"]
    assert "if v2[i]:" in programs["plain"]


def test_the_seed_decides_everything():
    rows = make_mini_apps_long("test", num_problems=20, seed=1)
    assert rows.to_list() == make_mini_apps_long("test", num_problems=20, seed=1).to_list()
    assert not set(rows["problem_id"]) & set(make_mini_apps_long("test", num_problems=20, seed=2)["problem_id"])


def test_a_smaller_number_is_the_beginning_of_a_larger_one():
    assert (
        make_mini_apps_long("train", num_problems=5).to_list()
        == make_mini_apps_long("train", num_problems=9).to_list()[:5]
    )


def test_the_seed_decides_across_processes(run_script):
    code = (
        "from trl_rltf import make_mini_apps_long; import hashlib; "
        "rows = make_mini_apps_long('train', num_problems=10).to_list(); "
        "print(hashlib.sha256(repr(rows).encode()).hexdigest())"
    )
    first, second = (run_script(code, env={"PYTHONHASHSEED": seed}).stdout for seed in ("1", "2"))
    assert first == second


def test_all_difficulties_kinds_of_tests_and_stages_are_there(train, outlines):
    assert set(train["difficulty"]) == {"introductory", "interview", "competition"}
    assert {"fn_name" in json.loads(tests) for tests in train["tests"]} == {True, False}
    assert len(set(train["problem_id"])) == len(train)
    used = {node.stage for outline, _ in outlines["train"] for node in outline.graph.nodes}
    assert len(used) >= len(STAGES) - 5


def test_helper_functions_are_in_about_a_third_of_the_programs():
    rows = make_mini_apps_long("train", num_problems=200, num_statements=16)
    sources = [source for row in rows for source in row["solutions"]]
    share = sum("def find_" in source or "def f1(" in source for source in sources) / len(sources)
    assert 0.2 < share < 0.45


def test_a_tiny_model_can_read_and_write_the_problems(train):
    rows = train.select(range(100))
    model, tokenizer = make_mini_model(rows, hidden_size=48, num_layers=1)
    texts = [row["prompt"] + source for row in rows for source in row["solutions"]]
    assert all(tokenizer.decode(tokenizer(text)["input_ids"]) == text for text in texts[:50])
    assert max(len(tokenizer(text)["input_ids"]) for text in texts) < model.config.max_position_embeddings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "dev"}, "`split` is 'dev'"),
        ({"num_problems": 0}, "`num_problems` is 0"),
        ({"num_statements": 3}, "`num_statements` is 3, but must be from 4 to 40"),
        ({"num_statements": 41}, "`num_statements` is 41"),
        ({"num_tests": 0}, "`num_tests` is 0"),
        ({"num_tests": 21}, "must be from 1 to 20"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_mini_apps_long(**arguments)
