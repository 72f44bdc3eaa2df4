"""Prompts of APPS and MBPP, letter by letter."""

from trl_rltf.data import apps_prompt, mbpp_prompt


def test_the_prompt_of_a_problem_with_standard_input():
    assert apps_prompt("Add them.") == "\nQUESTION:\nAdd them.\nUse Standard Input format\nANSWER:\n"


def test_the_prompt_of_a_call_based_problem():
    assert apps_prompt("Add them.", call_based=True) == "\nQUESTION:\nAdd them.\nUse Call-Based format\nANSWER:\n"


def test_starter_code_follows_the_question():
    prompt = apps_prompt("Add them.", starter_code="def add(a, b):\n", call_based=True)
    assert prompt == "\nQUESTION:\nAdd them.\ndef add(a, b):\n\nUse Call-Based format\nANSWER:\n"


def test_the_prompt_of_mbpp_shows_the_tests():
    assert mbpp_prompt("Write a function.", ["assert f(1) == 2", "assert f(2) == 3"]) == (
        "You are an expert Python programmer, and here is your task: Write a function. Your code should pass these "
        "tests:\n\nassert f(1) == 2\nassert f(2) == 3\n\n"
    )
