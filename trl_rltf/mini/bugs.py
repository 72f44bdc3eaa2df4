"""Write bugs into reference solutions of MiniAPPS, as drafts for a warm start."""

from __future__ import annotations

import random


def add_bug(solution: str, rng: random.Random) -> str:
    """
    Write one bug into a correct solution, of the kind that scraped code has.

    The bug is a lost bracket or colon, a misspelt name, a number left as text, or a result off by one. Unit tests can improve a
    policy that was warm-started on such drafts.

    Args:
        solution (`str`): Reference solution of a MiniAPPS problem.
        rng (`random.Random`): Random number generator.

    Returns:
        `str`: The program with one bug; it almost never passes the tests.
    """
    *body, last = solution.rstrip("\n").split("\n")
    is_call = last.lstrip().startswith("return")
    keyword, value = last.split("return ", 1) if is_call else ("", last[len("print(") : -1])

    def ending(expression: str) -> str:
        return f"{keyword}return {expression}" if is_call else f"print({expression})"

    drafts: list[tuple[list[str], str]] = [
        (body, ending(value).replace("(v", "(w").replace("v[", "w[") if "v" in value else ending("w")),
        (body, ending(f"{value} + 1")),
        (body, ending(value)[:-1] if ending(value)[-1] in ")]" else ending(value).replace("return ", "return (")),
    ]
    if is_call:
        drafts.append(([body[0].rstrip(":"), *body[1:]], last))
    else:
        drafts.append(([body[0].replace("map(int, input().split())", "input().split()"), *body[1:]], last))
    lines, end = rng.choice(drafts)
    return "\n".join([*lines, end, ""])


def add_slips(solution: str, rng: random.Random, line_share: float) -> str:
    """
    Write bugs into the lines of a correct solution, independently of each other.

    A program may get several bugs or none. A bug is a lost bracket, colon or operator, a misspelt name, numbers left as text, or
    a last line off by one.

    Args:
        solution (`str`): First reference solution of a MiniAPPS problem.
        rng (`random.Random`): Random number generator.
        line_share (`float`): Probability that a line gets a bug.

    Returns:
        `str`: The program; each bug breaks its line or a later one.
    """
    lines = solution.rstrip("\n").split("\n")
    return "\n".join([*(_broken_line(line, rng) if rng.random() < line_share else line for line in lines), ""])


def _broken_line(line: str, rng: random.Random) -> str:
    candidates = [
        line.removesuffix(":"),
        line[:-1] if line[-1] in ")]" else line,
        line.replace("map(int, input().split())", "input().split()"),
        line.replace(" for x in v", " for y in v"),
        line.replace(" in v", " in w"),
        line.replace("(v)", "(w)").replace("(v,", "(w,").replace("v[", "w["),
        line.replace("[", "(", 1),
    ]
    if line.startswith("print("):
        candidates.append(f"{line[:-1]} + 1)")
    elif line.lstrip().startswith("return"):
        candidates.append(f"{line} + 1")
    return rng.choice([candidate for candidate in candidates if candidate != line])
