"""Divide the tests of a problem into rewarded tests and audit tests."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from typing import Any

from .wire.long_integers import any_number_of_digits, dump_json, load_json


Tests = Mapping[str, Any] | str
# Parts of a setup that bind no variable which one assert could change for the next.
_WITHOUT_STATE = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Expr)


def split_audit_tests(tests: Tests, share: float) -> tuple[Tests, Tests | None]:
    """
    Divide the tests of a problem in two.

    The division depends on the inputs or asserts alone: it is the same in each epoch, process and run. A larger share keeps
    the audit tests of a smaller one.

    Args:
        tests (`Mapping` or `str`): Tests that [`parse_tests`] accepts.
        share (`float`): Share of the tests that audit, above 0 and below 1. At least one test audits and one is rewarded.

    Returns:
        `tuple`: The rewarded tests, and the audit tests, in the form of the argument. The second part is `None`, and the first
        has all tests, if there is only one, or if asserts may depend on earlier ones: one of them or the setup
        assigns a variable.
    """
    content = load_json(tests) if isinstance(tests, str) else tests
    names = ["asserts"] if content.get("asserts") is not None else ["inputs", "outputs"]
    items = content[names[0]]
    if len(items) < 2 or (names == ["asserts"] and _share_variables(items, content.get("setup") or "")):
        return tests, None
    chosen = _choose(items, share)
    parts = [
        {
            **content,
            **{name: [item for i, item in enumerate(content[name]) if (i in chosen) is audits] for name in names},
        }
        for audits in (False, True)
    ]
    # Numbers that are keys are restored from JSON text only.
    rewarded, audit = map(dump_json, parts) if isinstance(tests, str) else parts
    return rewarded, audit


def _choose(items: list[Any], share: float) -> set[int]:
    """Choose the indices of the audit tests."""
    number = min(len(items) - 1, max(1, round(share * len(items))))
    seed = hashlib.sha256(dump_json(items).encode()).digest()
    order = sorted(range(len(items)), key=lambda index: hashlib.sha256(seed + index.to_bytes(8)).digest())
    return set(order[:number])


def _share_variables(asserts: list[str], setup: str) -> bool:
    with any_number_of_digits():
        code = ast.parse(setup).body
        statements = [statement for text in asserts for statement in ast.parse(text).body]
    return (
        not all(isinstance(statement, _WITHOUT_STATE) for statement in code)
        or not all(isinstance(statement, ast.Assert) for statement in statements)
        or any(isinstance(node, ast.NamedExpr) for statement in statements for node in ast.walk(statement))
    )
