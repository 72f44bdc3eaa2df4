"""Stages of MiniAPPS-L: their meaning by hand, and the code of all authors against it."""

import itertools
import random
from dataclasses import replace

import pytest

from trl_rltf.mini.long.authors import AUTHORS, FORMS, LETTERS
from trl_rltf.mini.long.graph import Graph, Node
from trl_rltf.mini.long.inputs import draw_input, draw_profile
from trl_rltf.mini.long.program import count_statements, write_program
from trl_rltf.mini.long.stages import STAGES, STATEFUL


# Arguments and result, worked out by hand. Positions count from 0 here, and an element is its position.
A = [3, -1, 4, 4, 0, 2]
BY_HAND = {
    "running_sums": [((A,), [3, 2, 6, 10, 10, 12])],
    "running_maxima": [((A,), [3, 3, 4, 4, 4, 4]), (([-3, -5],), [-3, -3])],
    "changes": [((A,), [-4, 5, 0, -4, 2]), (([7],), [])],
    "distinct": [(([1, 1, 2, 1],), [1, 2])],
    "squeeze": [(([1, 1, 2, 1],), [1, 2, 1])],
    "run_lengths": [(([1, 1, 2, 1],), [2, 1, 1])],
    "climb": [((A,), [3, 4])],
    "next_larger": [((A,), [4, 4, 0, 0, 2, 0])],
    "smaller_before": [((A,), [0, 0, 2, 2, 1, 2])],
    "tank": [(([5, -9, 10, 8], 12), [5, 0, 10, 12])],
    "windows": [(([1, 2, 3, 4], 2), [3, 5, 7]), (([1], 2), [])],
    "swap_pairs": [(([1, 2, 3, 4, 5],), [2, 1, 4, 3, 5])],
    "digit_sums": [(([12, -305, 0],), [3, 8, 0])],
    "halvings": [(([12, -8, 7, 0],), [2, 3, 0, 0])],
    "turn_blocks": [(([1, 2, 3, 4, 5], 3), [3, 2, 1, 5, 4])],
    "weave": [(([1, 2, 3], [9]), [1, 9, 2, 3])],
    "one_pass": [(([4, 1, 3, 2, 0],), [1, 3, 2, 0, 4]), (([1, 3, 2],), [1, 2, 3])],
    "evens_first": [(([1, 2, 3, 4],), [2, 4, 1, 3])],
    "hail": [(([4, 3, -2], 3), [2, 10, -1])],
    "rotate": [(([1, 2, 3, 4], 1), [2, 3, 4, 1]), (([1, 2, 3, 4], -1), [4, 1, 2, 3]), (([], 2), [])],
    "longest_rise": [(([1, 2, 2, 3, 5, 4],), 3), (([],), 0)],
    "best_sum": [(([2, -3, 4, -1, 2, -9],), 5), (([-1],), 0)],
    "common_divisor": [(([12, -18, 0],), 6), (([],), 0)],
    "alternating_sum": [(([5, 2, 7],), 10)],
    "sign_changes": [(([1, -1, 0, 3, -2],), 3)],
    "pairs_with_sum": [(([2, 2, 6, 4, 4], 8), 3)],
    "lowest_sum": [(([2, -5, 1, -3],), -5), (([4],), 0)],
    "from_both_ends": [(([1, 9, 5, 4],), 7)],
    "first_above": [(([3, 3, 5], 5), 2), (([1], 5), 0)],
    "inversions": [(([3, 1, 2, 1],), 4)],
    "second_largest": [(([5, 5, 3],), 3), (([5, 5],), 0)],
    "mix": [(([2, 3], 1), 18)],
    "profit": [(([5, 1, 4, 2],), 3), (([3, 2],), 0)],
    "fit": [(([2, 3, 4], 5), 2), (([9], 5), 0)],
    "countdown": [((6,), 4), ((-6,), 4), ((0,), 0)],
    "digits_back": [((305,), [5, 0, 3]), ((0,), [])],
    "peaks": [(([5, 1, 3, 3, 4],), [0, 4]), (([7],), [0])],
    "records": [(([2, 1, 3, 3, 5],), [0, 2, 4])],
    "places_of_multiples": [(([3, 4, -6, 0], 3), [0, 2, 3])],
    "falls": [(([3, 1, 1, 0],), [1, 3])],
    "taken": [(([0, 2], [5, 6, 7]), [5, 7])],
    "left_over": [(([0, 2], [5, 6, 7]), [6])],
    "gaps": [(([0, 2, 5], [0] * 6), [2, 3])],
    "weighted": [(([0, 2], [5, 6, 7]), 26)],
    "part_sums": [(([1, 3], [1, 2, 3, 4, 5]), [3, 7])],
    "largest": [(([1, 4, 4],), 1), (([],), -1)],
    "smallest": [(([2, 0, 0],), 1)],
    "nearest": [(([9, 4, 6], 5), 1)],
    "after": [((1, [1, 4, 4]), [4]), ((-1, []), [])],
    "up_to": [((1, [1, 4, 4]), [1]), ((-1, []), [])],
    "distances": [((1, [1, 4, 2]), [3, 0, 2])],
    "below": [((1, [1, 4, 3]), 8), ((-1, []), 0)],
    "place_of": [((1, [1, 4, 3]), 6), ((-1, []), 0)],
    "counts": [(([2, 2, 1],), {2: 2, 1: 1})],
    "most_common": [(({5: 2, 3: 2, 1: 1},), 3), (({},), 0)],
    "singles": [(({5: 1, 3: 1, 1: 2},), [3, 5])],
    "frequencies": [(({5: 1, 3: 3},), [3, 1])],
    "odd_counts": [(({5: 1, 3: 2, 2: 3},), 7)],
    "cancel": [(("abbacc",), ""), (("abbc",), "ac")],
    "shift": [(("xyz", 3), "abc")],
    "double_vowels": [(("abe",), "aabee")],
    "pack": [(("aabccc",), "a2b1c3")],
    "letter_runs": [(("aabccc",), [2, 1, 3])],
    "letter_numbers": [(("az",), [1, 26])],
    "vowel_groups": [(("aebio",), 2)],
    "palindrome": [(("abacd",), 3), (("",), 0)],
    "row_sums": [(([[1, 2], [3, 4]],), [3, 7])],
    "column_maxima": [(([[1, 5], [3, 4]],), [3, 5])],
    "snake": [(([[1, 2], [3, 4], [5, 6]],), [1, 2, 4, 3, 5, 6])],
    "hills": [(([[1, 5], [4, 2]],), 2), (([[3, 3]],), 0)],
    "walk": [(([[1, 2, 9], [2, 3, 1]],), 7)],
    "best_row": [(([[1, 2], [2, 1], [0, 0]],), 1)],
    "above": [(([1, 4, 3], 3), [4])],
    "not_multiples": [(([1, 4, 3], 2), [1, 3])],
    "plus": [(([1, 4], 3), [4, 7])],
    "times": [(([1, 4], 3), [3, 12])],
    "remainders": [(([-1, 9], 4), [3, 1])],
    "falling": [(([1, 3, 2],), [3, 2, 1])],
    "every": [(([1, 2, 3, 4, 5], 2), [1, 3, 5])],
    "without_ends": [(([1, 2, 3], 2), [3])],
    "joined": [(([1], [2, 3]), [1, 2, 3])],
    "total": [(([1, 2],), 3)],
    "how_many": [(([1, 4, 3], 2), 2)],
    "extent": [(([4, 1, 6],), 5), (([],), 0)],
    "larger_than": [(([1, 4, 3], 3), [4])],
    "shifted_by": [(([1, 4], 3), [-2, 1])],
    "distance": [((2, 5), 3)],
    "combined": [((2, 5, 3), 11)],
    "modulo": [((-1, 7), 6)],
    "backwards": [(("ab",), "ba")],
    "cut": [(("abc", 1), "bc")],
    "letters_between": [(("adz", 101), 2)],
}


def test_each_stage_has_numbers_by_hand():
    assert set(BY_HAND) == set(STAGES)
    assert len(STATEFUL) >= 40


@pytest.mark.parametrize("name", BY_HAND)
def test_a_stage_computes_what_its_words_say(name):
    for arguments, result in BY_HAND[name]:
        assert STAGES[name].compute(*arguments) == result


def smallest_graph(stage, constant):
    """The stage with what makes its argument and what reads its result, if these are not plain values."""
    inputs = ["list" if kind in ("positions", "element", "counts") else kind for kind in stage.takes]
    source = {"positions": "falls", "element": "largest", "counts": "counts"}.get(stage.takes[0])
    nodes = [Node(source, (0,))] if source else []
    nodes.append(Node(stage.name, (1,) if source else tuple(range(len(inputs))), constant))
    reader = {"element": "place_of", "counts": "frequencies"}.get(stage.gives)
    nodes += [Node(reader, (len(inputs) + len(nodes) - 1,))] if reader else []
    return Graph(tuple(inputs), tuple(nodes))


def answers_of(program, cases):
    """What `solve` returns for each input, or the error."""
    scope = {}
    exec(compile(program, "program", "exec"), scope)
    found = []
    for inputs in cases:
        try:
            found.append(scope["solve"](*inputs))
        except Exception as error:
            found.append(error)
    return found


def cases_of(graph, number=40):
    rng = random.Random(0)
    profiles = [draw_profile(rng) for _ in range(number)]
    return [[draw_input(kind, profile, rng) for kind in graph.inputs] for profile in profiles]


def all_ways(stage):
    """Each author with each form of the values that the stage reads or makes, and each template."""
    kinds = {*stage.takes, stage.gives, *(["positions"] if "positions" in stage.takes else [])} & set(FORMS)
    for author in AUTHORS:
        for chosen in itertools.product(
            *(FORMS[kind] if kind in kinds else (author.form_of(kind),) for kind in FORMS)
        ):
            for taste in (0, -1):
                yield replace(author, forms=chosen, taste=taste)


@pytest.mark.parametrize("name", STAGES)
def test_the_code_of_all_authors_in_all_forms_computes_the_stage(name):
    stage = STAGES[name]
    graph = smallest_graph(stage, stage.constants[-1] if stage.constants else None)
    cases = cases_of(graph)
    expected = [graph.answers(graph.compute(inputs))[0] for inputs in cases]
    for author in all_ways(stage):
        program = write_program(graph, author, is_call=True)
        assert answers_of(program, cases) == expected, program


@pytest.mark.parametrize("name", [name for name in STAGES if STAGES[name].has_mistake])
def test_a_mistake_gives_wrong_answers_and_few_errors(name):
    stage = STAGES[name]
    graph = smallest_graph(stage, stage.constants[-1] if stage.constants else None)
    cases = cases_of(graph, 100)
    expected = [graph.answers(graph.compute(inputs))[0] for inputs in cases]
    for author in all_ways(stage):
        program = write_program(graph, author, is_call=True, wrong={name})
        answers = answers_of(program, cases)
        assert answers != expected, program
        assert sum(isinstance(answer, Exception) for answer in answers) <= 25, program


def test_each_stateful_stage_has_a_mistake():
    assert all(stage.has_mistake for stage in STATEFUL)


def test_names_of_values_and_of_local_variables_differ():
    nouns = {stage.noun for stage in STAGES.values()} | {"numbers", "limit", "word", "grid"}
    assert len(nouns) == len(STAGES) + 4
    for author in AUTHORS:
        local = author.locals()
        assert len(set(local.values())) == len(local)
        values = {author.value_name(i, "noun", []) for i in range(len(LETTERS))} | nouns
        assert not values & set(local.values()), author.name
        assert not {f"find_{name}" for name in STAGES} & nouns


def test_statements_inside_others_are_counted():
    assert count_statements("x = 1\nfor i in range(3):\n    if x:\n        x += 1\nprint(x)\n") == 5
