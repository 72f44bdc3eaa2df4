"""The peak of the memory of a program, in its report."""

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import Outcome, Program


BLOCK = 2**26  # bytes
WITHIN = BLOCK // 4  # of the interpreter, and of all that is not the block
TAKES_A_BLOCK = f"block = bytearray({BLOCK})\n"
FUNCTION = "def double(n):\n    block = bytearray({}) if n == 2 else b''\n    return 2 * n\n"
CHILD = f"import os\nif os.fork():\n    os.wait()\nelse:\n    block = bytearray({BLOCK})\n    os._exit(0)\n"
CALLS = {"fn_name": "double", "inputs": [[1], [2], [3]], "outputs": [2, 4, 6]}
ASSERTS = {"asserts": ["assert double(1) == 2", "assert double(2) == 4"], "setup": ""}
REFEREE = {"asserts": ["for n in (1, 2):\n    assert double(n) == 2 * n"], "setup": ""}


@pytest.mark.parametrize(
    ("small", "large", "tests"),
    [
        (SUM_PROGRAM, TAKES_A_BLOCK + SUM_PROGRAM, SUM_TESTS),
        (SUM_PROGRAM, CHILD + SUM_PROGRAM, SUM_TESTS),
        (FUNCTION.format(0), FUNCTION.format(BLOCK), CALLS),
        (FUNCTION.format(0), FUNCTION.format(BLOCK), ASSERTS),
        (FUNCTION.format(0), FUNCTION.format(BLOCK), REFEREE),
    ],
)
def test_the_peak_is_that_of_the_largest_process_of_a_program_alone(small, large, tests, single_runner):
    reports = single_runner.run([Program(source, tests) for source in (small, large, f"{small}\n")])
    assert [report.outcome for report in reports] == [Outcome.PASS] * 3
    first, second, third = (report.peak_memory for report in reports)
    assert 0 < first < WITHIN
    assert BLOCK < second < BLOCK + WITHIN
    assert abs(third - first) < WITHIN / 8  # the large program before it leaves nothing


def test_a_program_that_is_killed_has_a_peak(single_runner):
    source = f"block = bytearray({BLOCK})\nimport os\nos.kill(os.getpid(), 9)\n"
    killed, endless = single_runner.run(
        [Program(source, SUM_TESTS), Program(TAKES_A_BLOCK + "while True: pass", SUM_TESTS)]
    )
    assert killed.error_type == "SIGKILL"
    assert endless.error_type == "TimeoutError"
    assert min(killed.peak_memory, endless.peak_memory) > BLOCK
