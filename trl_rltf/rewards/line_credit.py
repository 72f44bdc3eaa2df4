"""Credit the lines of a program that parsed and ran, compared with its group."""

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
    The lines of a program that parsed and ran.

    Args:
        group (`Hashable`): Group of the program; programs of one group answer the same prompt.
        outcome ([`~execution.Outcome`]): Outcome of the program.
        token_lines (`list[int]`): Line of each completion token, counted from 0, length `T`; -1 before and after the program.
        num_lines (`int`): Number of lines of the program.
        error_lines (`range`, *optional*): Lines of the failing statement; empty if no statement failed, or the place is unknown.
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
    Find the lines of a program that parsed and ran.

    Args:
        group (`Hashable`): Group of the program; programs of one group answer the same prompt.
        report ([`~execution.ExecutionReport`]): Report on the program.
        program ([`ExtractedProgram`]): The program and its position in the completion.
        ranges (`Sequence[tuple[int, int]]`): Character range of each token in the completion, from [`token_ranges`].

    Returns:
        [`Attempt`] or `None`: `None` if the program could not be graded, or if it does not parse and the error has no line.
    """
    source = program.source.rstrip()
    line_ends = [program.start + match.end() - 1 for match in LINE_END.finditer(source)]
    # A token that begins with a line break belongs to the line that it ends; a fence or the end token, to the last line.
    program_end = program.start + len(program.source)
    token_lines = [
        bisect.bisect_left(line_ends, begin) if end > program.start and begin <= program_end else -1
        for begin, end in ranges
    ]
    num_lines = len(line_ends) + 1
    error_lines = range(0)
    if report.outcome in (Outcome.RUNTIME_ERROR, Outcome.SYNTAX_ERROR) and report.span is not None:
        # The span comes from the process of the program, which is hostile: clamp it to the program.
        first = min(max(report.span.line, 1), num_lines) - 1
        error_lines = range(first, min(max(report.span.end_line, first + 1), num_lines))
    if report.outcome is Outcome.NOT_GRADABLE or (report.outcome is Outcome.SYNTAX_ERROR and not error_lines):
        return None
    return Attempt(group, report.outcome, token_lines, num_lines, error_lines)


def line_credits(attempts: Sequence[Attempt | None]) -> list[list[float] | None]:
    """
    Credit the tokens of each program, compared with the programs of its group.

    Give each token 1 if its line succeeded and 0 if it did not, minus the mean over the group; once for parsing and once for
    running:

    1. Parsing: the lines before a syntax error succeeded, and the failing statement did not. The mean is over the programs that
       parse up to this line.
    2. Running, if the program parses: its lines succeeded, or, up to the line that raised, they did not. Which of these lines
       caused the error is not known, since a number left as text raises where it is used. The mean is over the programs that
       parse. If the program timed out or was killed, none of its lines counts as executed.

    The lines below an error get no credit for it. If all programs of a group fail at the same line, or none fails, credits are 0.

    Args:
        attempts (`Sequence[Attempt | None]`): Programs of any number of groups; `None` for a program that is left out.

    Returns:
        `list[list[float] | None]`: Credits of the tokens of each program, length `T`, between -1 and 2; `None` for a program that
        is left out.
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
