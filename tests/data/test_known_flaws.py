"""The known flaws of APPS: a checker per problem accepts right answers that its tests refuse."""

import itertools
import math

import pytest

from trl_rltf.data import KNOWN_FLAWS, load_benchmark
from trl_rltf.execution import Outcome, Program


def numbers(text):
    return [[int(word) for word in line.split()] for line in text.splitlines()]


def batched(items, size):
    return zip(*[iter(items)] * size, strict=True)


def three_sequences(given, answer):
    """0002: one of three values at each place, and no equal neighbours on the circle."""
    for (_, *options), chosen in zip(batched(numbers(given)[1:], 4), numbers(answer), strict=True):
        assert all(value in column for value, column in zip(chosen, zip(*options, strict=True), strict=True))
        assert all(a != b for a, b in zip(chosen, chosen[1:] + chosen[:1], strict=True))


def two_permutations(given, answer):
    """0005: all ways to cut the sequence into two permutations, in any order."""
    lines = iter(numbers(answer))
    for (size,), sequence in batched(numbers(given)[1:], 2):
        ways = [
            [cut, size - cut]
            for cut in range(1, size)
            if all(sorted(part) == [*range(1, len(part) + 1)] for part in (sequence[:cut], sequence[cut:]))
        ]
        (count,) = next(lines)
        assert sorted(next(lines) for _ in range(count)) == ways
    assert list(lines) == []


def sum_and_product(given, answer):
    """0024: two numbers whose sum and product are d, in either order."""
    for (d,), line in zip(numbers(given)[1:], answer.splitlines(), strict=True):
        if line == "N":
            assert 0 < d < 4
        else:
            _, a, b = line.split()
            total, product = float(a) + float(b), float(a) * float(b)
            assert abs(total - product) <= 1e-6
            assert abs(total - d) <= 1e-6


def reversals(given, answer):
    """0041: at most n reversals that lead to a regular sequence with k regular prefixes."""
    rows, lines = given.splitlines()[1:], iter(numbers(answer))
    for sizes, brackets in batched(rows, 2):
        size, wanted = map(int, sizes.split())
        (count,) = next(lines)
        assert count <= size
        for left, right in (next(lines) for _ in range(count)):
            brackets = brackets[: left - 1] + brackets[left - 1 : right][::-1] + brackets[right:]
        depths = list(itertools.accumulate(1 if bracket == "(" else -1 for bracket in brackets))
        assert min(depths) == 0
        assert depths[-1] == 0
        assert depths.count(0) == wanted
    assert list(lines) == []


def chairs(given, answer):
    """0044: n chairs of which no two have gcd 1 or divide each other, in any order."""
    for (size,), chosen in zip(numbers(given)[1:], numbers(answer), strict=True):
        assert len(set(chosen)) == len(chosen) == size
        assert all(1 <= chair <= 4 * size for chair in chosen)
        for a, b in itertools.combinations(chosen, 2):
            assert math.gcd(a, b) not in (1, a, b)


def two_trees(given, answer):
    """2033: two trees with the given number of vertices per depth, not isomorphic."""
    levels = numbers(given)[1]
    if answer.strip() == "perfect":
        assert all(1 in pair for pair in itertools.pairwise(levels))
        return
    word, *trees = answer.splitlines()
    assert word == "ambiguous"
    shapes = set()
    for parents in numbers("\n".join(trees)):
        depths, children = {0: -1}, {}
        for vertex, parent in enumerate(parents, start=1):
            depths[vertex] = depths[parent] + 1
            children.setdefault(parent, []).append(vertex)
        found = list(depths.values())
        assert [found.count(depth) for depth in range(len(levels))] == levels
        shape = {}
        for vertex in sorted(depths, key=depths.get, reverse=True):
            shape[vertex] = "(" + "".join(sorted(shape[child] for child in children.get(vertex, []))) + ")"
        shapes.add(shape[0])
    assert len(shapes) == 2


def permutation_of_segments(given, answer):
    """2365: each segment is contiguous, and one ends at each place but the first."""
    rows = iter(numbers(given)[1:])
    for (size,), chosen in zip(rows, numbers(answer), strict=False):
        assert sorted(chosen) == [*range(1, size + 1)]
        ends = []
        for _, *segment in itertools.islice(rows, size - 1):
            places = sorted(chosen.index(value) for value in segment)
            assert places == [*range(places[0], places[-1] + 1)]
            ends.append(places[-1])
        assert sorted(ends) == [*range(1, size)]


def cyclic_shifts(given, answer):
    """2391: at most n * n shifts of three neighbours that sort the array; -1 if there are none."""
    lines = iter(numbers(answer))
    for (size,), array in batched(numbers(given)[1:], 2):
        (count,) = next(lines)
        if count == -1:
            assert len(set(array)) == size
            assert sum(a > b for a, b in itertools.combinations(array, 2)) % 2 == 1
            continue
        assert count <= size * size
        moves = next(lines)
        assert len(moves) == count
        for move in moves:
            array[move - 1 : move + 2] = [array[move + 1], array[move - 1], array[move]]
        assert array == sorted(array)


CHECKERS = {
    "0002": three_sequences,
    "0005": two_permutations,
    "0024": sum_and_product,
    "0041": reversals,
    "0044": chairs,
    "2033": two_trees,
    "2365": permutation_of_segments,
    "2391": cyclic_shifts,
}


@pytest.fixture
def apps(shared_data):
    return {row["problem_id"]: row for row in load_benchmark("apps", shared_data / "apps", "train")}


@pytest.mark.parametrize("problem_id", CHECKERS)
def test_the_tests_of_a_flawed_problem_refuse_right_answers(problem_id, apps, runner):
    row, check = apps[problem_id], CHECKERS[problem_id]
    assert any(problem_id in flaw.problem_ids for flaw in KNOWN_FLAWS["apps"])

    def checker(given, answer, expected):
        for text in (answer, expected):
            check(given, text)
        return True

    plain = runner.run([Program(source, row["tests"]) for source in row["solutions"][:10]])
    assert {report.outcome for report in plain} == {Outcome.PASS, Outcome.FAILURE}
    refused = [index for index, report in enumerate(plain) if report.outcome is Outcome.FAILURE]
    checked = runner.run([Program(row["solutions"][index], row["tests"], checker=checker) for index in refused])
    assert {report.outcome for report in checked} == {Outcome.PASS}
