"""Name the rules of ruff whose findings mean a defect."""

from __future__ import annotations

import re
from collections.abc import Iterable


# Names of findings that are not rules of ruff.
INVALID_SYNTAX = "invalid-syntax"
UNREADABLE = "unreadable"

# Stable rules of ruff 0.17: a program with such a finding raises, or has code without an effect. `docs/static_analysis.md` says which
# rules are left out and why.
DEFAULT_RULES: tuple[str, ...] = (
    # names
    "F821",  # undefined name
    "F823",  # local variable that is read before it is assigned
    "F811",  # definition that is replaced before it is used
    "F841",  # local variable that is never used
    "F402",  # loop variable that hides an import
    "B006",  # mutable default of an argument
    "B020",  # loop variable that replaces what is iterated over
    "B023",  # function in a loop that reads the loop variable later
    "PLW0127",  # variable that is assigned to itself
    "PLW0128",  # name that is assigned twice in one assignment
    # comparisons and conditions that are always the same
    "F631",  # assert of a tuple
    "F632",  # `is` with a literal
    "F634",  # `if` with a tuple
    "PLR0124",  # comparison of a name with itself
    "PLR0133",  # comparison of two constants
    "PLW0129",  # assert of a text
    "PLW0177",  # comparison with NaN
    "PLW0711",  # `except A or B`
    "RUF034",  # `x if condition else x`
    "RUF060",  # `in` with an empty collection
    "SIM220",  # `a and not a`
    "SIM221",  # `a or not a`
    "SIM222",  # `... or True`
    "SIM223",  # `... and False`
    # statements without an effect
    "B002",  # `++n`
    "B015",  # comparison as a statement
    "B018",  # expression as a statement
    "B032",  # annotation instead of an assignment
    "PLW0133",  # exception that is made and not raised
    # calls and values that raise, or that do something else than they seem to
    "B012",  # `return`, `break` or `continue` in `finally`
    "B016",  # `raise` of a literal
    "B025",  # exception that is caught twice
    "B029",  # `except ()`
    "B030",  # `except` of a value that is not an exception
    "B031",  # group of `groupby` that is used twice
    "B033",  # value that is twice in a set
    "B035",  # dict comprehension with one key
    "F601",  # key that is twice in a dict
    "PLE0101",  # `return` of a value in `__init__`
    "PLE0643",  # index beyond a literal list
    "PLE1132",  # argument that is given twice
    "PLE1307",  # `%d` with a text
    "PLE1310",  # `strip` with a character twice
    "RUF016",  # index of the wrong type
    "RUF024",  # one mutable value for all keys of `dict.fromkeys`
    *("F501", "F502", "F503", "F505", "F506", "F507", "F508", "F509"),  # `%` with another number or kind of values
    *("F521", "F524", "F525"),  # `format` with missing values
)
# Ruff parses such programs, and Python does not compile them. They are always looked for. F706 and PLE0117 are not among them: the
# grader runs scripts with a `return` or a `nonlocal` at their top level inside a function.
COMPILE_RULES = frozenset(["F404", "F406", "F621", "F622", "F701", "F702", "F704", "F707", "PLE0118", "PLE1142"])
_CODE = re.compile(r"[A-Z]{1,8}[0-9]{1,5}")


def check_rules(rules: object) -> tuple[str, ...]:
    """
    Check the form of rules. Whether ruff knows them is found out by running it.

    Args:
        rules (`Iterable[str]`): Codes, such as `"F821"`.

    Returns:
        `tuple[str, ...]`: The codes.

    Raises:
        ValueError: If there is none, or one is not the whole code of a rule.
    """
    found = [] if isinstance(rules, str) or not isinstance(rules, Iterable) else list(rules)
    codes = [rule for rule in found if is_code(rule)]
    if not codes or len(codes) < len(found):
        raise ValueError(
            f"`rules` is {rules!r}, but must be a list of codes of ruff's rules, such as ['F821', 'F841']. `ruff rule --all` "
            "lists them."
        )
    return tuple(dict.fromkeys(codes))


def is_code(name: object) -> bool:
    """Whether a text is the code of a rule."""
    return isinstance(name, str) and _CODE.fullmatch(name) is not None
