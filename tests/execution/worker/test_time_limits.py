"""The time that is left, in numbers by hand."""

import pytest

from trl_rltf.execution.worker.time_limits import Limits, TimeLimits


def limits(timeout=2.0, wall_timeout=6.0, program_timeout=None):
    return TimeLimits({"timeout": timeout, "wall_timeout": wall_timeout, "program_timeout": program_timeout})


def test_all_tests_together_have_the_time_of_each_and_once_more():
    # 3 tests: 2 * (3 + 1) = 8 seconds of CPU, and 1.5 * 8 = 12 elapsed.
    assert limits().left(num_tests=3, cpu=0.0, wall=0.0) == Limits(2.0, 6.0, 8.0, 12.0)


def test_used_time_is_subtracted_and_waiting_is_not():
    # 8 - 3 = 5 seconds of CPU; 10 seconds elapsed, of which 2 * 3 do not count: 12 - (10 - 6) = 8.
    assert limits().left(num_tests=3, cpu=3.0, wall=10.0) == Limits(2.0, 6.0, 5.0, 8.0)


def test_a_chosen_limit_of_a_program_replaces_that_of_its_tests():
    # 1.5 * 1 elapsed seconds would be fewer than one test may take.
    assert limits(program_timeout=1.0).left(num_tests=100, cpu=0.25, wall=0.5) == Limits(2.0, 6.0, 0.75, 6.0)


def test_exceeded_limits_are_negative():
    left = limits(program_timeout=10.0).left(num_tests=1, cpu=11.0, wall=40.0)
    assert (left.total_cpu, left.total_wall) == (-1.0, -3.0)  # 15 - (40 - 22)


@pytest.mark.parametrize(
    ("exceeded", "message"),
    [
        ("cpu", "the test used more than 2 s of CPU time (`timeout`)"),
        ("wall", "the test took longer than 6 s (`wall_timeout`)"),
        ("total_cpu", "all tests together used more than 8 s of CPU time (`program_timeout`)"),
        ("total_wall", "all tests together took longer than 12 s (1.5 times `program_timeout`)"),
    ],
)
def test_an_error_names_the_argument_that_sets_the_limit(exceeded, message):
    expected = {"phase": "run", "type": "TimeoutError", "message": message, "position": None}
    assert limits().error(exceeded, num_tests=3) == expected
