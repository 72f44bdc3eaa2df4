"""List the problems of benchmarks that are known to be wrong or ambiguous."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Flaw:
    """
    Problems of a benchmark with the same kind of flaw.

    Args:
        problem_ids (`tuple[str, ...]`): The problems, by the values of our column `problem_id`.
        description (`str`): What is wrong with them.
        source (`str`): Where this was reported.
    """

    problem_ids: tuple[str, ...]
    description: str
    source: str


def _humaneval(numbers: str) -> tuple[str, ...]:
    return tuple(f"HumanEval/{number}" for number in numbers.split())


_HUMANEVAL_FIXES = "github.com/openai/human-eval/pull/23"
_LIVECODEBENCH_ERRATA = "ERRATA.md in github.com/LiveCodeBench/LiveCodeBench"
_OWN_CHECK = "grading of the reference solutions by this package (docs/check.md)"
_MBPP_ORACLES = "evalplus/eval/_special_oracle.py in github.com/evalplus/evalplus, version 0.3.1"
_PROMPTS_OF_HUMANEVAL = (
    Flaw(
        _humaneval("47"),
        "the prompt has a wrong example: the median it shows is 15.0 instead of 8.0",
        _HUMANEVAL_FIXES,
    ),
    Flaw(
        _humaneval("50 57 64"),
        "the prompt is ambiguous or has a statement that does not belong to it",
        _HUMANEVAL_FIXES,
    ),
    Flaw(_humaneval("75 116"), "the prompt contradicts the tests", "github.com/evalplus/evalplus/issues/12"),
    Flaw(_humaneval("32 67"), "the prompt has a misprint", _HUMANEVAL_FIXES),
    Flaw(_humaneval("38 41 83"), "the prompt has no example", _HUMANEVAL_FIXES),
)
KNOWN_FLAWS: dict[str, tuple[Flaw, ...]] = {
    "humaneval": (
        *_PROMPTS_OF_HUMANEVAL,
        Flaw(_humaneval("95"), "the canonical solution is wrong, and the tests do not show it", _HUMANEVAL_FIXES),
        Flaw(_humaneval("163"), "the canonical solution and the tests contradict the prompt", _HUMANEVAL_FIXES),
    ),
    "humaneval_plus": _PROMPTS_OF_HUMANEVAL,
    "mbpp_plus": (
        Flaw(
            ("Mbpp/164", "164"),
            "the statement does not define the answer; by the files of EvalPlus any answer is right",
            _MBPP_ORACLES,
        ),
        Flaw(
            ("Mbpp/295", "295", "Mbpp/558", "558", "Mbpp/581", "581"),
            "the statement has two readings; by the files of EvalPlus the answers of both are right",
            _MBPP_ORACLES,
        ),
        Flaw(
            ("737", "787", "794"),
            "the script that makes the form on the Hub compares their answers but asserts nothing, so that any answer is right",
            "tools/mbpp/to_original_fmt.py in github.com/evalplus/evalplus",
        ),
    ),
    "livecodebench": (
        Flaw(
            (
                *("abc311_c abc326_d abc327_b abc333_e abc343_e abc362_c").split(),
                *(
                    "find-words-containing-character find-the-peaks generate-binary-strings-without-adjacent-zeros"
                ).split(),
            ),
            "several answers are right, and the tests accept one of them",
            _LIVECODEBENCH_ERRATA,
        ),
        Flaw(
            ("abc337_e", "abc355_e"), "the problem is interactive, so that no program can pass", _LIVECODEBENCH_ERRATA
        ),
        Flaw(("abc350_c",), "the tests are wrong, so that no program can pass", _LIVECODEBENCH_ERRATA),
    ),
    "apps": (
        Flaw(
            ("0033", "2023", "2029", "2378", "2398"),
            "several answers are right, and the tests accept one of them: the first reference solution fails; found among 140 "
            "problems of the train split",
            _OWN_CHECK,
        ),
        Flaw(
            ("0002", "0024", "0041", "2033", "2365", "2391"),
            "the statement asks for any right answer, and the tests accept one of them: the first reference solution passes, "
            "another right one fails; found among the same problems",
            _OWN_CHECK,
        ),
        Flaw(
            ("0005", "0044"),
            "the statement allows any order, and the tests accept one of them: the first reference solution passes, another "
            "right one fails; found among the same problems",
            _OWN_CHECK,
        ),
    ),
}


def flawed_problems(name: str) -> frozenset[str]:
    """
    List the problems of a benchmark that are known to be wrong or ambiguous.

    Args:
        name (`str`): Name of the benchmark, see [`load_benchmark`].

    Returns:
        `frozenset[str]`: Values of the column `problem_id`; empty if no flaw is known.
    """
    flaws: Iterable[Flaw] = KNOWN_FLAWS.get(name, ())
    return frozenset(problem_id for flaw in flaws for problem_id in flaw.problem_ids)
