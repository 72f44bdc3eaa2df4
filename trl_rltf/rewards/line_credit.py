"""Credit each line of a program for whether it got past parsing and running, compared with the programs of its group."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ..completions.program import ExtractedProgram
from ..completions.tokens import LINE_END
from ..execution import ExecutionReport, Outcome


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    How far a program got.

    Args:
        group (`Hashable`): Programs with the same one answer the same prompt.
        outcome ([`~execution.Outcome`]): Its outcome.
        token_lines (`list[int]`): Line of each token of the completion, from 0, length `T`; -1 before and after the program.
        num_lines (`int`): Number of its lines.
        error_lines (`range`): Lines of the failing statement; empty if none failed, or if it is not known which.
    """

    group: Hashable
    outcome: Outcome
    token_lines: list[int]
    num_lines: int
    error_lines: range = range(0)


def attempt_of(
    group: Hashable, report: ExecutionReport, program: ExtractedProgram, ranges: Sequence[tuple[int, int]]
) -> Attempt | None:
    """
    Find out how far a program got.

    Args:
        group (`Hashable`): Programs with the same one answer the same prompt.
        report ([`~execution.ExecutionReport`]): Report on the program.
        program ([`ExtractedProgram`]): The program, and where it is in the completion.
        ranges (`Sequence[tuple[int, int]]`): Character range of each token in the completion, from [`token_ranges`].

    Returns:
        [`Attempt`] or `None`: `None` where it could not be graded, or does not parse and no line says why.
    """
    source = program.source.rstrip()
    line_ends = [program.start + match.end() - 1 for match in LINE_END.finditer(source)]
    # A token that begins with a line break belongs to the line that it ends; the fence or end token, to the last line.
    program_end = program.start + len(program.source)
    token_lines = [
        bisect.bisect_left(line_ends, begin) if end > program.start and begin <= program_end else -1
        for begin, end in ranges
    ]
    num_lines = len(line_ends) + 1
    error_lines = range(0)
    if report.outcome in (Outcome.RUNTIME_ERROR, Outcome.SYNTAX_ERROR) and report.span is not None:
        # A place comes from where the program ran: whatever it says, it is in the program.
        first = min(max(report.span.line, 1), num_lines) - 1
        error_lines = range(first, min(max(report.span.end_line, first + 1), num_lines))
    if report.outcome is Outcome.NOT_GRADABLE or (report.outcome is Outcome.SYNTAX_ERROR and not error_lines):
        return None
    return Attempt(group, report.outcome, token_lines, num_lines, error_lines)


def line_credits(attempts: Sequence[Attempt | None]) -> list[list[float] | None]:
    """
    Credit the tokens of each program: 1 where it got past their line, else 0, minus the share of its group that did.

    1. A line before a syntax error got past parsing, and the failing statement did not. They are compared with the programs
       of the group that parse up to this line.
    2. If a program parses, its lines also got past running, or, up to the one that raised, did not: which of them is at fault
       is not known, since numbers left as text raise where they are used. They are compared with the programs that parse. Out
       of time or killed, all lines did not.

    The lines below an error get nothing for it. Where all programs of a group fail at the same place, or none does, credits
    are 0.

    Args:
        attempts (`Sequence[Attempt | None]`): Programs, of any number of groups; `None` where nothing is known.

    Returns:
        `list[list[float] | None]`: Credits of the tokens of each program, between -1 and 2; `None` where nothing is known.
    """
    reached: Counter[tuple[Hashable, int]] = Counter()
    failed: Counter[tuple[Hashable, int]] = Counter()
    parsed: Counter[Hashable] = Counter()
    crashed: Counter[Hashable] = Counter()
    for program in attempts:
        if program is None:
            continue
        last = program.num_lines - 1
        if program.outcome is Outcome.SYNTAX_ERROR:
            last = program.error_lines.start
            failed[program.group, last] += 1
        else:
            parsed[program.group] += 1
            crashed[program.group] += program.outcome is Outcome.RUNTIME_ERROR
        reached.update((program.group, line) for line in range(last + 1))

    def credit(program: Attempt, line: int) -> float:
        group, wrong = program.group, program.error_lines
        is_after_error = bool(wrong) and line >= wrong.stop
        if line < 0:
            return 0.0
        if program.outcome is Outcome.SYNTAX_ERROR:
            place = group, min(line, wrong.start)
            return 0.0 if is_after_error else failed[place] / reached[place] - (line >= wrong.start)
        past_parsing = failed[group, line] / reached[group, line]
        past_running = crashed[group] / parsed[group] - (program.outcome is Outcome.RUNTIME_ERROR)
        return past_parsing + (0.0 if is_after_error else past_running)

    return [
        None if program is None else [credit(program, line) for line in program.token_lines] for program in attempts
    ]
