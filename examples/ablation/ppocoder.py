"""
The reward of PPOCoder (arXiv 2301.13816).

It is the outcome of the unit tests, plus the shares of the reference's syntax tree and data flow that the program has. The KL
penalty and the clipping of PPOCoder are settings of the trainer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import tree_sitter_python
from tree_sitter import Language, Node, Parser

from trl_rltf import UnitTestRewardFunction
from trl_rltf.completions import extract_program
from trl_rltf.completions.program import completion_text


_PARSER = Parser(Language(tree_sitter_python.language()))
# Nodes that bind names, with the fields of the bound names and of the value.
_BINDINGS = {
    "assignment": ("left", "right"),
    "augmented_assignment": ("left", "right"),
    "named_expression": ("name", "value"),
    "for_statement": ("left", "right"),
    "for_in_clause": ("left", "right"),
}
_SCOPES = ("list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression")


class PPOCoderReward:
    """
    Reward of PPOCoder: `R_cs + R_ast + R_dfg` (equations 3 to 6).

    Args:
        unit_tests ([`UnitTestRewardFunction`]): Returns R_cs, the reward of the outcome class.
    """

    __name__ = "ppocoder_reward"

    def __init__(self, unit_tests: UnitTestRewardFunction):
        self.unit_tests = unit_tests

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], solutions: Sequence[list[str]], **columns: Any
    ) -> list[float | None]:
        """Reward each completion; `None` if the tests could not be run."""
        outcomes = self.unit_tests(prompts=prompts, completions=completions, **columns)
        rewards: list[float | None] = []
        for outcome, completion, references in zip(outcomes, completions, solutions, strict=True):
            program = extract_program(completion_text(completion)).code
            # One target per problem, as in the paper: the first of the reference solutions.
            matches = ast_match(program, references[0]) + data_flow_match(program, references[0])
            rewards.append(None if outcome is None else float(outcome) + matches)
        return rewards


def ast_match(program: str, reference: str) -> float:
    """Share of the reference's subtrees, without names and values, that the program has."""
    return _share_found(_subtrees, reference, program)


def data_flow_match(program: str, reference: str) -> float:
    """Share of the reference's data-flow edges that the program has, with variables numbered in order of appearance."""
    return _share_found(_data_flow, reference, program)


def _share_found(count: Callable[[Node], Counter[Any]], reference: str, program: str) -> float:
    wanted = count(_parse(reference))
    try:
        found = count(_parse(program))
    except RecursionError:  # thousands of nested brackets, which no reference has
        return 0.0
    return (wanted & found).total() / wanted.total() if wanted else 0.0


def _parse(source: str) -> Node:
    return _PARSER.parse(source.encode("utf-8", "replace")).root_node


def _subtrees(root: Node) -> Counter[str]:
    counts: Counter[str] = Counter()

    def written(node: Node) -> str:
        inner = " ".join(written(child) for child in node.named_children)
        text = f"({node.type} {inner})" if inner else node.type
        if inner:
            counts[text] += 1
        return text

    written(root)
    return counts


@dataclass
class _Flow:
    """Edges of a program: a definition and the variables in its value, or a use and its last definition."""

    edges: Counter[Any] = field(default_factory=Counter)
    numbers: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))

    def use(self, name: str) -> None:
        if name in self.versions:  # a name that the program binds, not a builtin
            self.edges["comes from", self.number(name), self.versions[name]] += 1

    def define(self, name: str, sources: Sequence[str]) -> None:
        known = tuple(sorted({self.number(source) for source in sources if source in self.versions}))
        self.versions[name] = self.versions.get(name, 0) + 1
        self.edges["computed from", self.number(name), known] += 1


def _data_flow(root: Node) -> Counter[Any]:
    flow = _Flow()
    _walk(root, flow)
    return flow.edges


def _walk(node: Node, flow: _Flow) -> None:
    if node.type in _BINDINGS:
        target, source = (node.child_by_field_name(name) for name in _BINDINGS[node.type])
        if source is not None:
            _walk(source, flow)
        if target is not None:
            sources = list(_names(source)) if source is not None else []
            for name in _names(target):
                flow.define(name, [*sources, name] if node.type == "augmented_assignment" else sources)
        for child in node.children_by_field_name("body"):
            _walk(child, flow)
    elif node.type in _SCOPES:
        # The body comes before the clauses that bind its names.
        for child in sorted(node.named_children, key=lambda child: child.type != "for_in_clause"):
            _walk(child, flow)
    elif node.type in ("parameters", "lambda_parameters"):
        for name in _names(node):
            flow.define(name, [])
    elif node.type == "identifier":
        flow.use(_text(node))
    else:
        for child in node.named_children:
            _walk(child, flow)


def _names(node: Node) -> Iterator[str]:
    if node.type == "identifier":
        yield _text(node)
    for child in node.named_children:
        yield from _names(child)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
