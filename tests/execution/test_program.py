"""Running model-written code needs an explicit opt-in."""

import pytest

from trl_rltf.execution import LocalRunner, Program, Runner
from trl_rltf.execution.program import check_opt_in


@pytest.mark.parametrize(
    ("variable", "choice", "is_allowed"),
    [
        (None, None, False),
        ("0", None, False),
        ("true", None, False),
        ("1", None, True),
        (None, True, True),
        ("1", False, False),
    ],
)
def test_the_explicit_choice_comes_before_the_variable(monkeypatch, variable, choice, is_allowed):
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL", raising=False)
    if variable is not None:
        monkeypatch.setenv("HF_ALLOW_CODE_EVAL", variable)
    if is_allowed:
        check_opt_in(choice)
    else:
        with pytest.raises(ValueError, match="HF_ALLOW_CODE_EVAL=1"):
            check_opt_in(choice)


def test_a_class_with_a_run_method_is_a_runner():
    class Remote:
        def run(self, programs):
            return []

    with LocalRunner(isolation="process") as local:
        assert isinstance(local, Runner)
    assert isinstance(Remote(), Runner)
    assert not isinstance(object(), Runner)


def test_a_program_has_no_checker_unless_one_is_given():
    assert Program("", {}).checker is None
    assert Program("", {}, max) == Program("", {}, checker=max)
