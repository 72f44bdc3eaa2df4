"""Credits of lines, with numbers worked out by hand."""

import pytest
from support import span_at

from trl_rltf import UnitTestRewardFunction
from trl_rltf.completions import token_ranges
from trl_rltf.execution import ExecutionReport, Outcome, Verdict


TESTS = {"inputs": ["3\n"], "outputs": ["4"]}
RIGHT = "n = int(input())\nprint(n + 1)\n"
CRASHES = "n = int(input())\nprint(m + 1)\n"
CRASHES_EARLY = "n = int(oops)\nprint(n + 1)\n"
DOES_NOT_PARSE = "n = = 3\nprint(n + 1)\n"
STOPS_EARLY = "n = int(input())\nprint(n + 1\n"
NEVER_CLOSED = "n = 3\nprint('''n\n"


def credits_of(function, tokenizer, sources, prompts=None):
    """Rounded credit of each line: the reward of its tokens, which all get the same, minus that of the program."""
    ids = [tokenizer(source)["input_ids"] for source in sources]
    rewards = function(
        prompts=prompts or ["p"] * len(sources),
        completions=sources,
        completion_ids=ids,
        tests=[TESTS] * len(sources),
        processing_class=tokenizer,
    )
    found = []
    for reward, row in zip(rewards, ids, strict=True):
        lines = [set(), set()]
        text = ""
        for token, value in zip(row, reward.tokens, strict=True):
            # A line break belongs to the line that it ends; a token after the program, to its last line.
            lines[min(text.count("\n"), 1)].add(round(value - reward, 3))
            text += tokenizer.decode([token])
        assert [len(values) for values in lines] == [1, 1]
        found.append([values.pop() for values in lines])
    return found


def test_lines_are_compared_with_those_of_the_group_that_got_as_far(runner, tokenizer):
    function = UnitTestRewardFunction(runner)
    sources = [RIGHT, CRASHES, DOES_NOT_PARSE, STOPS_EARLY]
    # One in four fails to parse in line 1, one in three of the others in line 2. Of the two that parse, one crashes.
    expected = [
        [1 / 4 + 1 / 2, 1 / 3 + 1 / 2],
        [1 / 4 - 1 / 2, 1 / 3 - 1 / 2],
        [1 / 4 - 1, 0],
        [1 / 4, 1 / 3 - 1],
    ]
    assert credits_of(function, tokenizer, sources) == [pytest.approx(row, abs=1e-3) for row in expected]


def test_the_lines_below_a_crash_get_no_credit(runner, tokenizer):
    function = UnitTestRewardFunction(runner, token_weight=2.0)
    assert credits_of(function, tokenizer, [RIGHT, CRASHES_EARLY]) == [[1, 1], [-1, 0]]


def test_other_prompts_do_not_count(runner, tokenizer):
    function = UnitTestRewardFunction(runner)
    chats = [[{"role": "user", "content": name}] for name in "aabb"]
    sources = [RIGHT, RIGHT, CRASHES, CRASHES]
    assert credits_of(function, tokenizer, sources, chats) == [[0, 0]] * 4  # the programs of each group are equal
    assert credits_of(function, tokenizer, sources) == [[0.5, 0.5]] * 2 + [[-0.5, -0.5]] * 2


def test_a_timeout_counts_against_all_lines(runner, tokenizer):
    function = UnitTestRewardFunction(runner)
    assert credits_of(function, tokenizer, [RIGHT, "n = 1\nwhile n: pass\n"]) == [[0.5, 0.5], [-0.5, -0.5]]


def test_a_syntax_error_without_a_line_is_left_out_of_the_comparison(runner, tokenizer):
    function = UnitTestRewardFunction(runner)
    assert credits_of(function, tokenizer, [RIGHT, NEVER_CLOSED]) == [[0, 0], [0, 0]]


def test_a_program_that_could_not_be_graded_is_left_out_of_the_comparison(runner, tokenizer):
    class Broken:
        def run(self, programs):
            *reports, _ = runner.run(programs)
            return [*reports, ExecutionReport(Outcome.NOT_GRADABLE, (Verdict.NOT_RUN,))]

    ids = [tokenizer(source)["input_ids"] for source in (RIGHT, DOES_NOT_PARSE)]
    right, missing = UnitTestRewardFunction(Broken())(
        ["p", "p"], [RIGHT, DOES_NOT_PARSE], ids, [TESTS] * 2, processing_class=tokenizer
    )
    assert set(right.tokens) == {1.0}
    assert missing is None


def test_an_unclosed_bracket_counts_against_its_line_and_the_lines_below(runner, tokenizer):
    function = UnitTestRewardFunction(runner)
    assert credits_of(function, tokenizer, [RIGHT, "n = int(input(\nprint(n + 1)\n"]) == [[0.5, 0], [-0.5, -0.5]]


def test_text_around_a_program_gets_no_credit(runner, tokenizer):
    completion = f"Here:\n```python\n{RIGHT}```\nIt adds one.\n"
    fence = completion.index("```\nIt")
    texts = [completion, completion.replace("n + 1", "m + 1")]
    ids = [tokenizer(text)["input_ids"] for text in texts]
    rewards = UnitTestRewardFunction(runner)(["p"] * 2, texts, ids, [TESTS] * 2, processing_class=tokenizer)
    for reward, row, text, credit in zip(rewards, ids, texts, (0.5, -0.5), strict=True):
        ranges = token_ranges(row, text, tokenizer)
        before = {value - reward for (_, end), value in zip(ranges, reward.tokens, strict=True) if end <= 16}
        inside = {value - reward for (b, e), value in zip(ranges, reward.tokens, strict=True) if e > 16 and b <= fence}
        after = {value - reward for (begin, _), value in zip(ranges, reward.tokens, strict=True) if begin > fence}
        assert (before, inside, after) == ({0}, {credit}, {0})


@pytest.mark.parametrize("outcome", [Outcome.SYNTAX_ERROR, Outcome.RUNTIME_ERROR])
@pytest.mark.parametrize(
    "span", [span_at(-5, 0, -9, 0), span_at(0, 0, 0, 0), span_at(2, 0, 1, 0), span_at(10**9, 0, 10**9, 0)]
)
def test_a_span_outside_the_program_is_clamped(runner, tokenizer, outcome, span):
    class Forged:
        def run(self, programs):
            report, *_ = runner.run(programs)
            return [report, ExecutionReport(outcome, (Verdict.FAILED,), span=span)]

    ((first, second), forged) = credits_of(UnitTestRewardFunction(Forged()), tokenizer, [RIGHT, CRASHES])
    assert min(first, second) >= 0
    assert min(forged) == -0.5


def test_a_wrong_number_of_prompts_is_refused(runner, tokenizer):
    with pytest.raises(ValueError, match="There are 1 `prompts` and 2 `completions`"):
        UnitTestRewardFunction(runner)(["p"], [RIGHT] * 2, tests=[TESTS] * 2)
