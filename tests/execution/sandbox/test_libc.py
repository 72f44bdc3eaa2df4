"""Calls of the C library, and limits of resources."""

import errno
import resource

import pytest

from trl_rltf.execution.sandbox.libc import checked, libc
from trl_rltf.execution.sandbox.rlimits import lowest_limit


def test_a_function_that_fails_becomes_an_error_with_its_number():
    with pytest.raises(OSError, match="closing: Bad file descriptor") as caught:
        checked(libc.close(-1), "closing")
    assert caught.value.errno == errno.EBADF


def test_a_result_is_passed_on():
    assert checked(libc.getpgid(0), "asking") == libc.getpgid(0) > 0


def test_a_limit_is_never_above_the_one_in_force():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert lowest_limit(resource.RLIMIT_NOFILE, 16) == (16, 16)
    assert lowest_limit(resource.RLIMIT_NOFILE, hard + 1) == (hard, hard)


def test_where_no_limit_is_in_force_the_bound_counts():
    if resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY:
        pytest.skip("this machine bounds the size of files")
    assert lowest_limit(resource.RLIMIT_FSIZE, 2**40) == (2**40, 2**40)
