"""Let a model run the visible tests of a problem, and repair its program."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ..completions import extract_program
from ..completions.program import prompt_text
from ..data import visible_tests as visible_tests_of
from ..execution import LocalRunner, Program, Runner, parse_tests
from ..execution.limits import ProblemLimits, problem_limits
from ..execution.program import check_opt_in
from ..execution.wire.plain_values import dump_json
from .descriptions import describe_run, describe_tests


_EMPTY_INPUT = {"inputs": [""], "outputs": [""]}


class UnitTestEnvironment:
    """
    Let a model run the visible tests of a problem on its program, and repair it.

    It is for the argument `environment_factory` of TRL's `GRPOTrainer` and of [`RLTFTrainer`], with a chat model that calls tools.
    The model gets the tool `run_tests`. Hidden tests are those of the column `tests`: they are for the reward function alone,
    and neither their inputs nor their outputs reach the model. [`UnitTestRewardFunction`] runs them on the last program that the model
    wrote, in a call of the tool or in a later text.

    Visible tests are those of the column `visible_tests`, if there is one, else those that the statement shows, see
    [`~data.visible_tests`]. Where a problem has none, the tool says whether the program compiles and runs on an empty input.

    Example:

    ```python
    from functools import partial

    from trl import GRPOConfig, GRPOTrainer

    from trl_rltf import UnitTestRewardFunction, load_mbpp
    from trl_rltf.environments import UnitTestEnvironment

    dataset = load_mbpp(split="train")
    trainer = GRPOTrainer(
        model="Qwen/Qwen2.5-Coder-0.5B-Instruct",
        reward_funcs=UnitTestRewardFunction(),
        args=GRPOConfig(output_dir="qwen-repair", max_tool_calling_iterations=3),
        train_dataset=dataset.map(lambda row: {"prompt": [{"role": "user", "content": row["prompt"]}]}),
        environment_factory=partial(UnitTestEnvironment, max_calls=3),
    )
    trainer.train()
    ```

    Args:
        max_calls (`int`, *optional*, defaults to `3`):
            How often the tool runs tests for a completion. Later calls are answered that none is left; their program counts.
        runner ([`~execution.Runner`], *optional*):
            Runs the tests. Defaults to a [`~execution.LocalRunner`] with its default limits, which all environments of the process share.
        allow_code_eval (`bool`, *optional*):
            Opt in to running model-written code, for the default runner. Defaults to `HF_ALLOW_CODE_EVAL`.

    Raises:
        TypeError: If the runner has no method `run`.
        ValueError: If `max_calls` is not a positive number, or the user did not opt in to running model-written code.
    """

    def __init__(self, *, max_calls: int = 3, runner: Runner | None = None, allow_code_eval: bool | None = None):
        if isinstance(max_calls, bool) or not isinstance(max_calls, int) or max_calls < 1:
            raise ValueError(f"`max_calls` is {max_calls!r}, but must be a whole number, at least 1.")
        if runner is not None and not isinstance(runner, Runner):
            raise TypeError(
                f"`runner` is a {type(runner).__name__}, but must have a method `run` that grades programs. Pass a `LocalRunner`."
            )
        if runner is None:
            check_opt_in(allow_code_eval)
        self._max_calls = max_calls
        self._runner = _default_runner() if runner is None else runner
        self._tests: Mapping[str, Any] | str | None = None
        self._limits: ProblemLimits = {"timeout": None, "memory_limit": None}
        self._num_calls = 0

    def reset(
        self,
        prompt: Any = (),
        tests: Mapping[str, Any] | str | None = None,
        visible_tests: Mapping[str, Any] | str | None = None,
        **columns: Any,
    ) -> None:
        """
        Start a completion. TRL calls it with the row of the dataset.

        Args:
            prompt (`list[dict]`): Prompt, as chat messages.
            tests (`Mapping` or `str`): Hidden tests.
            visible_tests (`Mapping` or `str`, *optional*): Visible tests, in a format of the hidden ones. Without them, those that
                the prompt shows.
            **columns: Other columns: `time_limit` (seconds per test) and `memory_limit` (bytes) replace the limits of the runner
                where they are not `None`; `problem_id` is used in error messages.

        Raises:
            ValueError: If the prompt is plain text, or tests or limits are missing or malformed.
        """
        name = f" (problem {columns['problem_id']!r})" if "problem_id" in columns else ""
        if isinstance(prompt, str):
            raise ValueError(
                f"`prompt` is plain text{name}, but a model calls tools in a chat. Make it a list of messages, such as "
                '`[{"role": "user", "content": prompt}]`.'
            )
        if not visible_tests and tests is None:
            raise ValueError(f"The dataset has neither a column `tests` nor `visible_tests`{name}. Add `tests`.")
        self._num_calls = 0
        try:
            self._tests = visible_tests or _shown_tests(prompt_text(prompt), _as_text(tests))
            if visible_tests:
                parse_tests(visible_tests)
        except ValueError as error:
            raise ValueError(f"The tests are malformed{name}: {error}") from error
        try:
            self._limits = problem_limits(columns)
        except ValueError as error:
            raise ValueError(f"A limit is malformed{name}: {error}") from error

    def run_tests(self, code: str) -> str:
        """
        Run the visible tests on a program, and report the first that it fails.

        Args:
            code: The whole program, in Python.

        Returns:
            How many visible tests passed, and the input, the expected output and the answer of the first that did not.
        """
        if not isinstance(code, str):
            return f"`code` is of type {type(code).__name__}, but must be the text of a Python program."
        if self._num_calls >= self._max_calls:
            return "No call of `run_tests` is left. Write the final program in a ```python block."
        self._num_calls += 1
        source = extract_program(code).code
        if self._tests is None:
            (report,) = self._runner.run([Program(source, _EMPTY_INPUT, checker=_accept, **self._limits)])
            text = describe_run(report, source)
        else:
            (report,) = self._runner.run([Program(source, self._tests, **self._limits)])
            text = describe_tests(report, source)
        text = f"{text}\nCalls left: {self._max_calls - self._num_calls}"
        return text.encode("utf-8", "replace").decode()  # half a surrogate pair would stop the tokenizer


@functools.lru_cache(maxsize=32)
def _shown_tests(statement: str, tests: str) -> dict[str, Any] | None:
    # The completions of a group have equal prompts.
    parse_tests(tests)
    return visible_tests_of({"prompt": statement, "tests": tests})


def _as_text(tests: Any) -> str:
    if isinstance(tests, Mapping):
        tests = {key: value for key, value in tests.items() if value is not None}
    return tests if isinstance(tests, str) else dump_json(tests)


def _accept(given: Any, answer: Any, expected: Any) -> bool:
    return True


@functools.cache
def _default_runner() -> LocalRunner:
    return LocalRunner(allow_code_eval=True)  # each environment has checked the opt-in
