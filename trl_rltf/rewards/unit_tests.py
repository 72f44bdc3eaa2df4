"""The reward function: runs the unit tests of each completion and returns a reward for each of its tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from ..completions.program import ExtractedProgram, completion_text, extract_program
from ..completions.tokens import end_token, span_tokens, token_ranges
from ..execution import ExecutionReport, LocalRunner, Outcome, Program, Runner, parse_tests
from .feedback import COARSE_REWARDS, PAPER_FEEDBACK, ErrorScope, Feedback, FeedbackRules
from .line_credit import Attempt, attempt_of, line_credits
from .token_reward import TokenReward


_NO_TESTS = (
    "The dataset has no column `tests`. Unit tests go there as JSON text, for example "
    '`{"inputs": ["1 2\\n"], "outputs": ["3\\n"]}`; the loaders of `trl_rltf.data` make it.'
)


class UnitTestRewardFunction:
    """
    Reward completions by running their programs on unit tests: the share of tests passed, and on top of it a credit for the
    tokens of each line. [`UnitTestRewardFunction.paper`] gives the multi-granularity feedback of the paper.

    It works in [`RLTFTrainer`], which uses the reward of each token, and unchanged in TRL's `GRPOTrainer` and
    `RLOOTrainer`, for which each entry is a plain number.

    Args:
        runner ([`~execution.Runner`], *optional*):
            What runs the tests. Defaults to a [`~execution.LocalRunner`] with its default limits.
        coarse_weight (`float`, *optional*, defaults to `1.0`):
            Factor of the reward of the outcome class. `0` switches it off, also for PASS.
        adaptive_weight (`float`, *optional*, defaults to `1.0`):
            Factor of the adaptive reward, which rises with the share of tests passed, from the reward of FAILURE to that of
            PASS.
        fine_weight (`float`, *optional*, defaults to `1.0`):
            Weight of the reward of single tokens (λ). `0` switches it off.
        fine_baseline (`str`, *optional*, defaults to `"group"`):
            What the tokens get. `"group"`: λ times 1 or 0, whether their line got past parsing, minus the share of the
            programs for the same prompt in which it did, of those that got as far; and the same for running, see
            [`line_credits`]. Where a group is divided among processes, each compares its part. `"none"`: -λ for the tokens
            of the error, as in the paper.
        granularity (`str`, *optional*, defaults to `"line"`):
            Tokens of an error: `"line"`, the failing statement; `"expression"`, the failing sub-expression, which needs
            `fine_baseline="none"`.
        normalize_span (`bool`, *optional*, defaults to `False`):
            Multiply -λ by T / |span|, so that all errors weigh the same in a mean over tokens. It needs
            `fine_baseline="none"`. Not in the paper.
        adaptive_runtime_errors (`bool`, *optional*, defaults to `True`):
            Also count the tests passed by programs that raise in some of them. Not in the paper.
        coarse_rewards (`Mapping[Outcome, float]`, *optional*):
            Reward of each outcome class. Defaults to 1 for PASS and 0 for the others, so that coarse and adaptive reward
            together are the share of tests passed.
        processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*):
            Tokenizer that finds the tokens of a line or an error. [`RLTFTrainer`] hands over its own; without one, all tokens of a
            completion get the reward of the sequence.
        allow_code_eval (`bool`, *optional*):
            Opt in to running model-written code, for the default runner. Defaults to `HF_ALLOW_CODE_EVAL`.

    Raises:
        TypeError: If the runner has no method `run`.
        ValueError: If an argument is out of range, or nobody opted in to running model-written code.
    """

    __name__ = "unit_test_reward"

    def __init__(
        self,
        runner: Runner | None = None,
        coarse_weight: float = 1.0,
        adaptive_weight: float = 1.0,
        fine_weight: float = 1.0,
        fine_baseline: str = "group",
        granularity: str = "line",
        normalize_span: bool = False,
        adaptive_runtime_errors: bool = True,
        coarse_rewards: Mapping[Outcome, float] | None = None,
        processing_class: Any = None,
        allow_code_eval: bool | None = None,
    ):
        if runner is not None and not isinstance(runner, Runner):
            raise TypeError(
                f"`runner` is a {type(runner).__name__}, but must have a method `run` that grades programs."
            )
        self.rules = FeedbackRules(
            coarse_weight=coarse_weight,
            adaptive_weight=adaptive_weight,
            fine_weight=fine_weight,
            fine_baseline=fine_baseline,
            granularity=granularity,
            adaptive_runtime_errors=adaptive_runtime_errors,
            coarse_rewards=dict(COARSE_REWARDS if coarse_rewards is None else coarse_rewards),
        )
        if normalize_span and fine_baseline == "group":
            raise ValueError("`normalize_span=True` needs `fine_baseline='none'`: credits of a group have no span.")
        self.runner = LocalRunner(allow_code_eval=allow_code_eval) if runner is None else runner
        self.normalize_span = normalize_span
        self.processing_class = processing_class

    @classmethod
    def paper(cls, runner: Runner | None = None, **overrides: Any) -> Self:
        """
        The feedback of the paper (arXiv 2307.04349, section 3.3): PASS 1.0, FAILURE from -0.3 up with the share of tests passed,
        RUNTIME_ERROR -0.6, SYNTAX_ERROR -1.0, and -0.3 on the tokens of the failing statement.

        Args:
            runner ([`~execution.Runner`], *optional*): What runs the tests.
            **overrides: Any argument of [`UnitTestRewardFunction`]; it replaces the value of the paper.

        Returns:
            [`UnitTestRewardFunction`]: The reward function.
        """
        return cls(runner, **{**PAPER_FEEDBACK, **overrides})

    def __call__(
        self,
        prompts: Sequence[Any] | None = None,
        completions: Sequence[Any] = (),
        completion_ids: Sequence[Sequence[int]] | None = None,
        tests: Sequence[Any] | None = None,
        processing_class: Any = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[TokenReward | None]:
        """
        Grade completions.

        Args:
            prompts (`Sequence`, *optional*): Prompts; completions of equal ones are a group. Without them, completions with
                equal tests are.
            completions (`Sequence`): Completions, as text or as chat messages.
            completion_ids (`Sequence[Sequence[int]]`, *optional*): Token ids of each completion.
            tests (`Sequence`): Column of unit tests, one entry a completion.
            processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*): The trainer's tokenizer.
            log_extra (`Callable`, *optional*): TRL's hook for columns of the completions table.
            log_metric (`Callable`, *optional*): TRL's hook for metrics.
            **columns: The other columns of the dataset; `problem_id` is named in error messages.

        Returns:
            `list[TokenReward | None]`: One entry a completion; `None` where the sandbox failed, so that TRL leaves it out.

        Raises:
            ValueError: If there is no column `tests`, an entry of it is malformed, or there are not as many prompts, tests and
                token ids as completions. The message names the row.
        """
        if tests is None:
            raise ValueError(_NO_TESTS)
        for name, column in (("prompts", prompts), ("tests", tests), ("completion_ids", completion_ids)):
            if column is not None and len(column) != len(completions):
                raise ValueError(
                    f"There are {len(column)} `{name}` and {len(completions)} `completions`, but each completion needs one."
                )
        _check_tests(tests, columns.get("problem_id"), "row {} of the batch")
        texts = [completion_text(completion) for completion in completions]
        programs = [extract_program(text) for text in texts]
        began = time.perf_counter()
        reports = self.runner.run(
            [Program(program.code, entry) for program, entry in zip(programs, tests, strict=True)]
        )
        seconds = time.perf_counter() - began
        tokenizer = self.processing_class or processing_class
        ids: Sequence[Sequence[int]] = [[]] * len(texts) if completion_ids is None else completion_ids
        groups = [str(entry) for entry in (tests if prompts is None else prompts)]
        attempts = self._attempts(groups, reports, programs, texts, ids, tokenizer)
        credits = line_credits(attempts)
        rewards: list[TokenReward | None] = []
        errors: list[bool] = []  # of each program with an error: whether its place was found
        for index, report in enumerate(reports):
            if report.outcome is Outcome.NOT_GRADABLE:
                rewards.append(None)
                continue
            feedback = self.rules(report)
            marked = _marked_tokens(feedback, programs[index], texts[index], ids[index], tokenizer)
            tokens = self._spread(feedback, marked, len(ids[index]))
            credit = credits[index]
            if credit is not None:
                tokens = [reward + self.rules.fine_weight * own for reward, own in zip(tokens, credit, strict=True)]
            if self.rules.fine_weight > 0 and report.outcome in (Outcome.RUNTIME_ERROR, Outcome.SYNTAX_ERROR):
                attempt = attempts[index]
                is_credited = attempt is not None and any(line in attempt.error_lines for line in attempt.token_lines)
                errors.append(bool(marked) or is_credited)
            rewards.append(TokenReward(feedback.reward, tokens, None, report.outcome))
        _log(reports, errors, seconds, log_extra, log_metric)
        return rewards

    def check_dataset(self, dataset: Any) -> None:
        """
        Check a dataset before training starts.

        Args:
            dataset ([`~datasets.Dataset`]): Training or evaluation set.

        Raises:
            ValueError: If it has no column `tests`, or an entry of it is malformed. The message names the row.
        """
        if "tests" not in dataset.column_names:
            raise ValueError(_NO_TESTS)
        problem_ids = dataset["problem_id"] if "problem_id" in dataset.column_names else None
        _check_tests(dataset["tests"], problem_ids, "row {}")

    def _attempts(
        self,
        groups: Sequence[str],
        reports: Sequence[ExecutionReport],
        programs: Sequence[ExtractedProgram],
        texts: Sequence[str],
        ids: Sequence[Sequence[int]],
        tokenizer: Any,
    ) -> list[Attempt | None]:
        """How far programs got, of the groups in which one has an error: in the others there is nothing to compare."""
        if self.rules.fine_baseline == "none" or self.rules.fine_weight == 0 or tokenizer is None or not any(ids):
            return [None] * len(reports)
        with_errors = {
            group
            for group, report in zip(groups, reports, strict=True)
            if report.outcome in (Outcome.RUNTIME_ERROR, Outcome.SYNTAX_ERROR)
        }
        return [
            attempt_of(group, report, program, token_ranges(tokens, text, tokenizer)) if group in with_errors else None
            for group, report, program, text, tokens in zip(groups, reports, programs, texts, ids, strict=True)
        ]

    def _spread(self, feedback: Feedback, marked: range, num_tokens: int) -> list[float]:
        # r_t = R_seq + 1[t in span] · (-λ)
        tokens = [feedback.reward] * num_tokens
        scale = num_tokens / len(marked) if self.normalize_span and marked else 1.0
        for index in marked:
            tokens[index] += scale * feedback.penalty
        return tokens


def _check_tests(tests: Iterable[Any], problem_ids: Sequence[Any] | None, where: str) -> None:
    checked = set()
    for index, entry in enumerate(tests):
        if isinstance(entry, str) and entry in checked:  # the completions of a group have the same tests
            continue
        try:
            parse_tests(entry)
        except ValueError as error:
            name = "" if problem_ids is None else f" (problem {problem_ids[index]!r})"
            raise ValueError(f"{where.format(index)}{name}, column `tests`: {error}") from error
        if isinstance(entry, str):
            checked.add(entry)


def _marked_tokens(
    feedback: Feedback, program: ExtractedProgram, text: str, token_ids: Sequence[int], tokenizer: Any
) -> range:
    if feedback.scope is ErrorScope.GLOBAL:
        return range(len(token_ids))
    if feedback.scope is ErrorScope.IGNORE or tokenizer is None or not token_ids:
        return range(0)
    ranges = token_ranges(token_ids, text, tokenizer)
    if feedback.span is None:
        # Cut off at the length limit, no token has ended it: it is too long as a whole.
        return end_token(program.source, program.start, ranges) or range(len(token_ids))
    return span_tokens(feedback.span, program.source, program.start, ranges, program.indent)


def _log(
    reports: Sequence[ExecutionReport],
    errors: Sequence[bool],
    seconds: float,
    log_extra: Callable[[str, list[Any]], None] | None,
    log_metric: Callable[[str, float], None] | None,
) -> None:
    if log_extra is not None:
        log_extra("outcome", [report.outcome.name for report in reports])
        log_extra("tests_passed", [f"{report.num_passed}/{report.num_tests}" for report in reports])
        log_extra("error_type", [report.error_type or "" for report in reports])
        log_extra("error_line", [report.span.line if report.span else None for report in reports])
        log_extra("trailing_error", [report.trailing_error_type or "" for report in reports])
    if log_metric is None or not reports:
        return
    for outcome in Outcome:
        log_metric(f"outcome/{outcome.name.lower()}", sum(r.outcome is outcome for r in reports) / len(reports))
    # The tests ran on what the programs define; what follows it (an example, a line cut off) ended with an error.
    log_metric("outcome/trailing_error", sum(r.trailing_error_type is not None for r in reports) / len(reports))
    graded = [report for report in reports if report.outcome is not Outcome.NOT_GRADABLE]
    if graded:
        log_metric("outcome/pass_ratio", sum(r.pass_ratio for r in graded) / len(graded))
    if errors:
        log_metric("outcome/localized", sum(errors) / len(errors))
    # Programs that had a say in a verdict of theirs: a share that rises is a policy that learns to cheat.
    log_metric("grading/self_graded", sum(bool(report.self_graded_tests) for report in reports) / len(reports))
    log_metric("grading/seconds", seconds)
    log_metric("grading/programs_per_second", len(reports) / max(seconds, 1e-9))
    log_metric("grading/tests_per_second", sum(report.num_run for report in reports) / max(seconds, 1e-9))
