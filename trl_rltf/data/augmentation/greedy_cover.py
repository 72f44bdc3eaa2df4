"""Choose the tests that kill the most programs."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence


def choose_tests(kills: Sequence[Collection[int]], answers: Sequence[Hashable], num_tests: int) -> list[int]:
    """
    Choose tests by greedy cover.

    Each step takes the test that kills the most programs not yet killed, of several the first. When no test kills another
    program, the next round begins, in which each program has to be killed once more. Tests that kill nothing come last, those with
    an answer that no chosen test has before the others.

    Args:
        kills (`Sequence[Collection[int]]`): Programs that each test kills.
        answers (`Sequence[Hashable]`): Expected output of each test.
        num_tests (`int`): Number of tests at most.

    Returns:
        `list[int]`: Indices of the tests, in the order of the choice.
    """
    chosen: list[int] = []
    left = list(range(len(kills)))
    alive = {program for found in kills for program in found}
    everything = frozenset(alive)
    is_new_round = True
    while left and len(chosen) < num_tests:
        best = max(left, key=lambda test: (len(alive.intersection(kills[test])), -test))
        killed = alive.intersection(kills[best])
        if not killed:
            if is_new_round:
                break
            alive, is_new_round = set(everything), True
            continue
        is_new_round = False
        alive -= killed
        left.remove(best)
        chosen.append(best)
    known = {answers[test] for test in chosen}
    repeated = []
    for test in left:
        if answers[test] in known:
            repeated.append(test)
        else:
            known.add(answers[test])
            chosen.append(test)
    return [*chosen, *repeated][:num_tests]
