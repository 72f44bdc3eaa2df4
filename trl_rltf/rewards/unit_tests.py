"""Reward completions by running their programs on unit tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..completions.conversation import final_program
from ..completions.program import ExtractedProgram
from ..completions.tokens import token_ranges
from ..execution import ExecutionReport, LocalRunner, Outcome, Program, Runner
from ..execution.limits import LIMIT_COLUMNS
from .audit import check_share, log_audits, with_audits
from .columns import NO_TESTS, check_columns, make_programs
from .line_credit import Attempt, attempt_of, line_credits
from .outcome import COARSE_REWARDS, OutcomeReward, check_weight
from .outcome_logs import log_outcomes, log_weighted_share
from .penalty import penalized_tokens, spread_penalty
from .rarity import TestWeights, check_test_weights, rarity_shares
from .token_reward import TokenReward


TokenFeedback = Literal["line_credit", "statement_penalty", "expression_penalty"]
_PENALTY_UNITS: Mapping[str, Literal["statement", "expression"]] = {
    "statement_penalty": "statement",
    "expression_penalty": "expression",
}
# Yields the programs, takes their reports, and returns the rewards.
RewardSteps = Generator[list[Program], list[ExecutionReport], list[TokenReward | None]]
_ERRORS = (Outcome.RUNTIME_ERROR, Outcome.SYNTAX_ERROR)


class UnitTestRewardFunction:
    """
    Reward completions by running their programs on unit tests.

    The reward of a completion is the share of tests passed; each token also gets a credit for its line.
    [`~presets.paper_reward`] gives the multi-granularity feedback of the paper (section 3.3 of arXiv 2307.04349).

    It works in [`RLTFTrainer`], which uses the reward of each token, and unchanged in TRL's `GRPOTrainer` and
    `RLOOTrainer`, for which each entry is a plain number.

    Args:
        runner ([`~execution.Runner`], *optional*):
            Runs the tests. Defaults to a [`~execution.LocalRunner`] with its default limits.
        coarse_weight (`float`, *optional*, defaults to `1.0`):
            Factor of the reward of the outcome class. `0` disables it, also for `PASS`.
        adaptive_weight (`float`, *optional*, defaults to `1.0`):
            Factor of the adaptive reward, which rises with the share of tests passed from the reward of `FAILURE` to that of
            `PASS`. `0` disables it.
        token_feedback (`str`, *optional*, defaults to `"line_credit"`):
            Reward that tokens get in addition to the reward of the completion:

            - `"line_credit"`: λ times 1 if the line of the token parsed, or 0 if it did not, minus the mean over the
              programs for the same prompt that parsed up to this line; and the same for running, see [`line_credits`].
              If a group is divided among processes, each process compares its part.
            - `"statement_penalty"`: -λ for the tokens of the failing statement, as in the paper.
            - `"expression_penalty"`: -λ for the tokens of the failing sub-expression. Not in the paper.
            - `None`: nothing.
        token_weight (`float`, *optional*, defaults to `1.0`):
            Weight λ of the token feedback. `0` disables it.
        normalize_span (`bool`, *optional*, defaults to `False`):
            Multiply a penalty by T / |span|, so that all errors weigh the same in a mean over tokens. Not in the paper.
        adaptive_runtime_errors (`bool`, *optional*, defaults to `True`):
            Also count the tests passed by programs that raise in some of them. Not in the paper.
        coarse_rewards (`Mapping[Outcome, float]`, *optional*):
            Reward of each outcome class. Defaults to 1 for `PASS` and 0 for the others, so that coarse and adaptive reward
            together are the share of tests passed.
        audit_tests (`float`, *optional*, defaults to `0.0`):
            Share of each problem's tests that is kept out of the reward, such as `0.3`. How many of them pass is logged as
            `audit/pass_ratio`, and how far the rewarded tests are ahead as `audit/gap`: a policy that learns to pass weak tests
            without solving the problem has a large gap. A problem with one test has no audit test.
        test_weights (`str`, *optional*, defaults to `"uniform"`):
            Weights of the tests in the adaptive reward. Not in the paper.

            - `"uniform"`: all tests count the same.
            - `"rarity"`: a test counts the more, the fewer programs for the same prompt pass it, see [`rarity_shares`]. Each call
              needs whole groups: [`RLTFTrainer`] refuses batches that divide groups among processes, and `baseline="greedy"`.
        processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*):
            Tokenizer that finds the tokens of a line or an error. [`RLTFTrainer`] passes its own; without one, all tokens of a
            completion get the reward of the completion.
        allow_code_eval (`bool`, *optional*):
            Opt in to running model-written code, for the default runner. Defaults to `HF_ALLOW_CODE_EVAL`.

    Raises:
        TypeError: If the runner has no method `run`.
        ValueError: If an argument is out of range, or the user did not opt in to running model-written code.
    """

    __name__ = "unit_test_reward"

    def __init__(
        self,
        runner: Runner | None = None,
        *,
        coarse_weight: float = 1.0,
        adaptive_weight: float = 1.0,
        token_feedback: TokenFeedback | None = "line_credit",
        token_weight: float = 1.0,
        normalize_span: bool = False,
        adaptive_runtime_errors: bool = True,
        coarse_rewards: Mapping[Outcome, float] | None = None,
        audit_tests: float = 0.0,
        test_weights: TestWeights = "uniform",
        processing_class: Any = None,
        allow_code_eval: bool | None = None,
    ):
        if runner is not None and not isinstance(runner, Runner):
            raise TypeError(
                f"`runner` is a {type(runner).__name__}, but must have a method `run` that grades programs."
            )
        if token_feedback is not None and token_feedback not in get_args(TokenFeedback):
            raise ValueError(
                f"`token_feedback` is {token_feedback!r}, but must be None or one of "
                f"{', '.join(map(repr, get_args(TokenFeedback)))}."
            )
        check_weight("token_weight", token_weight)
        if normalize_span and token_feedback not in _PENALTY_UNITS:
            raise ValueError(
                f"`normalize_span=True` needs a penalty, but `token_feedback` is {token_feedback!r}. Use "
                f"{' or '.join(map(repr, _PENALTY_UNITS))}."
            )
        check_share(audit_tests)
        self.audit_tests = audit_tests
        self.outcome_reward = OutcomeReward(
            coarse_weight=coarse_weight,
            adaptive_weight=adaptive_weight,
            adaptive_runtime_errors=adaptive_runtime_errors,
            coarse_rewards=dict(COARSE_REWARDS if coarse_rewards is None else coarse_rewards),
        )
        check_test_weights(test_weights, adaptive_weight)
        self.test_weights: TestWeights = test_weights
        self.token_feedback: TokenFeedback | None = token_feedback
        self.token_weight = token_weight
        self._active_feedback = token_feedback if token_weight > 0 else None
        self.normalize_span = normalize_span
        self.runner = LocalRunner(allow_code_eval=allow_code_eval) if runner is None else runner
        self.processing_class = processing_class

    @property
    def needs_whole_groups(self) -> bool:
        """Whether rewards are comparable only among completions of the same call."""
        return self.test_weights != "uniform"

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
        Reward completions.

        Args:
            prompts (`Sequence`, *optional*): Prompts. Completions with equal prompts are a group; without prompts, completions
                with equal tests are.
            completions (`Sequence`): Completions, as text or as chat messages.
            completion_ids (`Sequence[Sequence[int]]`, *optional*): Token ids of each completion.
            tests (`Sequence`): Column of unit tests, one entry per completion.
            processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*): The trainer's tokenizer.
            log_extra (`Callable`, *optional*): TRL's hook for columns of the completions table.
            log_metric (`Callable`, *optional*): TRL's hook for metrics.
            **columns: Other columns of the dataset: `time_limit` (seconds per test) and `memory_limit` (bytes) replace the limits
                of the runner where they are not `None`; `problem_id` is used in error messages.

        Returns:
            `list[TokenReward | None]`: One entry per completion; `None` if the sandbox failed, so that TRL leaves it out.

        Raises:
            ValueError: If there is no column `tests`, an entry of it is malformed (the message names the row), or the number of
                prompts, tests, token ids or limits is not that of the completions.
        """
        steps = self._steps(
            prompts, completions, completion_ids, tests, processing_class, log_extra, log_metric, **columns
        )
        return finish(steps, self.runner.run(next(steps)))

    def _steps(
        self,
        prompts: Sequence[Any] | None = None,
        completions: Sequence[Any] = (),
        completion_ids: Sequence[Sequence[int]] | None = None,
        tests: Sequence[Any] | None = None,
        processing_class: Any = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> RewardSteps:
        """Do what a call does, but yield the programs, and take their reports."""
        if tests is None:
            raise ValueError(NO_TESTS)
        limits = [(name, columns.get(name)) for name in LIMIT_COLUMNS]
        for name, column in [("prompts", prompts), ("tests", tests), ("completion_ids", completion_ids), *limits]:
            if column is not None and len(column) != len(completions):
                raise ValueError(
                    f"There are {len(column)} `{name}` and {len(completions)} `completions`, but each completion needs one."
                )
        check_columns(tests, columns, "row {} of the batch")
        found = [final_program(completion) for completion in completions]
        programs, texts = [program for program, _ in found], [text for _, text in found]
        graded = make_programs([program.code for program in programs], tests, columns)
        graded, audited = with_audits(graded, self.audit_tests)
        began = time.perf_counter()
        all_reports = yield graded
        seconds = time.perf_counter() - began
        reports = all_reports[: len(texts)]
        tokenizer = self.processing_class or processing_class
        ids: Sequence[Sequence[int]] = [[]] * len(texts) if completion_ids is None else completion_ids
        groups = [str(entry) for entry in (tests if prompts is None else prompts)]
        completed = [_Completed(*row) for row in zip(groups, reports, programs, texts, ids, strict=True)]
        feedback = self._token_feedback(completed, tokenizer)
        shares = [report.pass_ratio for report in reports]
        if self.test_weights == "rarity":
            # Two rows may have one prompt and different tests.
            shares = rarity_shares(list(zip(groups, map(str, tests), strict=True)), reports)
            log_weighted_share(shares, reports, log_metric)
        rewards: list[TokenReward | None] = []
        localized: list[bool] = []  # of each program with an error
        for report, share, (deltas, is_localized) in zip(reports, shares, feedback, strict=True):
            if report.outcome is Outcome.NOT_GRADABLE:
                rewards.append(None)
                continue
            reward = self.outcome_reward(report, share)
            # r_t = R_sequence + λ · f_t
            rewards.append(TokenReward(reward, [reward + delta for delta in deltas], None, report.outcome))
            if self._active_feedback is not None and report.outcome in _ERRORS:
                localized.append(is_localized)
        log_outcomes(reports, localized, sum(r.num_run for r in all_reports), seconds, log_extra, log_metric)
        if self.audit_tests:
            audits = dict(zip(audited, all_reports[len(texts) :], strict=True))
            log_audits(reports, audits, log_extra, log_metric)
        return rewards

    def check_dataset(self, dataset: Any) -> None:
        """
        Check a dataset before training starts.

        Args:
            dataset ([`~datasets.Dataset`]): Training or evaluation set.

        Raises:
            ValueError: If there is no column `tests`, or an entry of it or of the limits is malformed. The message names the row.
        """
        if "tests" not in dataset.column_names:
            raise ValueError(NO_TESTS)
        names = ("problem_id", *LIMIT_COLUMNS)
        columns = {name: dataset[name] for name in names if name in dataset.column_names}
        check_columns(dataset["tests"], columns, "row {}")

    def _token_feedback(self, completed: Sequence[_Completed], tokenizer: Any) -> list[tuple[list[float], bool]]:
        """Token rewards of each completion, and whether tokens of an error were found."""
        if self._active_feedback == "line_credit":
            return self._line_credits(completed, tokenizer)
        return [self._penalty(one, tokenizer) for one in completed]

    def _penalty(self, completed: _Completed, tokenizer: Any) -> tuple[list[float], bool]:
        num_tokens = len(completed.ids)
        if self._active_feedback is None:
            return [0.0] * num_tokens, False
        tokens = penalized_tokens(
            completed.report,
            _PENALTY_UNITS[self._active_feedback],
            completed.program,
            completed.text,
            completed.ids,
            tokenizer,
        )
        penalty = spread_penalty(tokens, num_tokens, weight=self.token_weight, normalize=self.normalize_span)
        return penalty, bool(tokens)

    def _line_credits(self, completed: Sequence[_Completed], tokenizer: Any) -> list[tuple[list[float], bool]]:
        # In a group without an error there is nothing to compare.
        groups = {one.group for one in completed if one.report.outcome in _ERRORS}
        has_tokens = tokenizer is not None and any(one.ids for one in completed)
        attempts: list[Attempt | None] = [
            attempt_of(one.group, one.report, one.program, token_ranges(one.ids, one.text, tokenizer))
            if has_tokens and one.group in groups
            else None
            for one in completed
        ]
        feedback = []
        for one, attempt, credit in zip(completed, attempts, line_credits(attempts), strict=True):
            if attempt is None or credit is None:
                feedback.append(([0.0] * len(one.ids), False))
                continue
            is_localized = any(line in attempt.error_lines for line in attempt.token_lines)
            feedback.append(([self.token_weight * value for value in credit], is_localized))
        return feedback


def finish(steps: RewardSteps, reports: list[ExecutionReport]) -> list[TokenReward | None]:
    """Send reports to a generator that has yielded programs, and return the rewards."""
    try:
        steps.send(reports)
    except StopIteration as end:
        rewards: list[TokenReward | None] = end.value
        return rewards
    raise AssertionError("The programs of a batch are graded once.")


@dataclass(frozen=True, slots=True)
class _Completed:
    group: str
    report: ExecutionReport
    program: ExtractedProgram
    text: str
    ids: Sequence[int]
