"""Penalize the defects that static analysis finds in the program of a completion."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ..analysis import DEFAULT_RULES, Finding, RuffAnalyser
from ..analysis.placed_program import PlacedProgram
from ..analysis.rules import INVALID_SYNTAX, UNREADABLE
from .outcome import check_weight
from .token_reward import TokenReward


class StaticAnalysisReward:
    """
    Penalize the defects that ruff finds in the program of a completion.

    The reward of a completion is `-penalty · min(findings, max_findings)`, and the tokens of each of these findings get another
    `-token_weight · penalty`. A program that does not compile, or that is too large to analyse, counts as `max_findings` findings.
    The programs are not run. An empty program has no defect: use it next to a reward by unit tests.

    It works in [`RLTFTrainer`], which uses the reward of each token, and unchanged in TRL's `GRPOTrainer` and `RLOOTrainer`, for
    which each entry is a plain number.

    Example:

    ```python
    from trl_rltf import RLTFTrainer, UnitTestRewardFunction
    from trl_rltf.rewards import StaticAnalysisReward

    trainer = RLTFTrainer(model, [UnitTestRewardFunction(), StaticAnalysisReward()], args, train_dataset)
    ```

    Args:
        rules (`Sequence[str]`, *optional*, defaults to `DEFAULT_RULES`):
            Codes of ruff's rules that mean a defect, such as `["F821"]`.
        penalty (`float`, *optional*, defaults to `0.1`):
            Penalty of a finding.
        max_findings (`int`, *optional*, defaults to `5`):
            Findings of a program that count, the first ones of its text.
        token_weight (`float`, *optional*, defaults to `1.0`):
            Factor of the penalty that the tokens of a finding get. `0` disables it.
        timeout (`float`, *optional*, defaults to `60.0`):
            Elapsed seconds per call. Completions whose programs are left then have no reward.
        processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*):
            Tokenizer that finds the tokens of a finding. [`RLTFTrainer`] passes its own; without one, all tokens of a completion
            get the reward of the completion.

    Raises:
        ImportError: If ruff is not installed.
        ValueError: If an argument is out of range, or ruff does not know a rule.
        AnalysisError: If ruff does not work on this machine.
    """

    __name__ = "static_analysis_reward"

    def __init__(
        self,
        rules: Sequence[str] = DEFAULT_RULES,
        *,
        penalty: float = 0.1,
        max_findings: int = 5,
        token_weight: float = 1.0,
        timeout: float = 60.0,
        processing_class: Any = None,
    ):
        for name, weight in (("penalty", penalty), ("token_weight", token_weight)):
            check_weight(name, weight)
        if isinstance(max_findings, bool) or not isinstance(max_findings, int) or max_findings < 1:
            raise ValueError(
                f"`max_findings` is {max_findings!r}, but must be a whole number above 0. To disable the reward, leave it out of "
                "`reward_funcs`."
            )
        self.penalty = penalty
        self.max_findings = max_findings
        self.token_weight = token_weight
        self.analyser = RuffAnalyser(rules, timeout=timeout)
        self.processing_class = processing_class

    def __call__(
        self,
        completions: Sequence[Any] = (),
        completion_ids: Sequence[Sequence[int]] | None = None,
        starter_code: Sequence[str | None] | None = None,
        processing_class: Any = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[TokenReward | None]:
        """
        Reward completions.

        Args:
            completions (`Sequence`): Completions, as text or as chat messages.
            completion_ids (`Sequence[Sequence[int]]`, *optional*): Token ids of each completion.
            starter_code (`Sequence[str]`, *optional*): Column of the code that prompts begin with. Programs are completed with it,
                as in an evaluation; its own defects do not count.
            processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*): The trainer's tokenizer.
            log_extra (`Callable`, *optional*): TRL's hook for columns of the completions table.
            log_metric (`Callable`, *optional*): TRL's hook for metrics.
            **columns: Other arguments that TRL passes, which are ignored.

        Returns:
            `list[TokenReward | None]`: One entry per completion; `None` if the time was over, so that TRL leaves it out.

        Raises:
            ValueError: If the number of token ids or of starter codes is not that of the completions.
            AnalysisError: If ruff has stopped working.
        """
        for name, column in (("completion_ids", completion_ids), ("starter_code", starter_code)):
            if column is not None and len(column) != len(completions):
                raise ValueError(
                    f"There are {len(column)} `{name}` and {len(completions)} `completions`, but each completion needs one."
                )
        starters = [None] * len(completions) if starter_code is None else starter_code
        programs = [PlacedProgram.of(*row) for row in zip(completions, starters, strict=True)]
        began = time.perf_counter()
        analysed = self.analyser([program.code for program in programs])
        seconds = time.perf_counter() - began
        tokenizer = self.processing_class or processing_class
        ids: Sequence[Sequence[int]] = [[]] * len(programs) if completion_ids is None else completion_ids
        findings = [
            None if found is None else [own for finding in found if (own := program.in_program(finding)) is not None]
            for found, program in zip(analysed, programs, strict=True)
        ]
        rewards = [
            None if found is None else self._reward(found, program, tokens, tokenizer)
            for found, program, tokens in zip(findings, programs, ids, strict=True)
        ]
        self._log(findings, seconds, log_extra, log_metric)
        return rewards

    def _reward(
        self, findings: Sequence[Finding], program: PlacedProgram, ids: Sequence[int], tokenizer: Any
    ) -> TokenReward:
        counted = findings[: self.max_findings]
        is_over = any(finding.ends_analysis for finding in findings)
        reward = 0.0 - self.penalty * (self.max_findings if is_over else len(counted))
        value = -self.token_weight * self.penalty
        spans = [(*program.characters(one.span), value) for one in counted if one.span is not None and value]
        if tokenizer is None or not ids or not spans:
            return TokenReward(reward, [reward] * len(ids))
        return TokenReward.from_spans(reward, spans, program.text, ids, tokenizer)

    def _log(
        self,
        findings: Sequence[Sequence[Finding] | None],
        seconds: float,
        log_extra: Callable[[str, list[Any]], None] | None,
        log_metric: Callable[[str, float], None] | None,
    ) -> None:
        if log_extra is not None:
            log_extra("findings", [_describe(found, self.max_findings) for found in findings])
        if log_metric is None or not findings:
            return
        log_metric("static_analysis/not_analysed", findings.count(None) / len(findings))
        log_metric("static_analysis/seconds", seconds)
        known = [found for found in findings if found is not None]
        if known:
            log_metric("static_analysis/with_findings", sum(map(bool, known)) / len(known))
            log_metric("static_analysis/findings", sum(map(len, known)) / len(known))
            log_metric("static_analysis/invalid_syntax", _share_with(INVALID_SYNTAX, known))
            log_metric("static_analysis/unreadable", _share_with(UNREADABLE, known))


def _share_with(rule: str, known: Sequence[Sequence[Finding]]) -> float:
    return sum(any(finding.rule == rule for finding in found) for found in known) / len(known)


def _describe(findings: Sequence[Finding] | None, most: int) -> str:
    if findings is None:
        return "not analysed"
    more = [f"and {len(findings) - most} more"] if len(findings) > most else []
    return "\n".join([*map(str, findings[:most]), *more])
