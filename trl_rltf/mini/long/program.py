"""Write the program of a graph in the style of an author."""

from __future__ import annotations

import ast
import functools
import random
from collections.abc import Collection, Sequence
from statistics import mean, median

from .authors import AUTHORS, Author
from .graph import Graph, Node
from .stage import OF_A_LIST, Stage, ValueType
from .stages import STAGES
from .templates import expand


_INPUT_NOUNS = {"list": "numbers", "number": "limit", "word": "word", "grid": "grid"}
_HELPER_LINES = 4  # a shorter stage is not worth a function
_FUNCTION = "solve"
# A stage that makes a value of a type that is never an input.
_SOURCES = {"positions": "falls", "element": "largest", "counts": "counts"}


def write_program(
    graph: Graph,
    author: Author,
    *,
    rng: random.Random | None = None,
    is_call: bool = False,
    has_length: bool = False,
    wrong: Collection[str] = (),
) -> str:
    """
    Write a program.

    Args:
        graph (`Graph`): What it computes.
        author (`Author`): Its style.
        rng (`random.Random`, *optional*): Random number generator for what the author does not always do in the same way.
        is_call (`bool`, *optional*, defaults to `False`): Whether it is a function `solve`, instead of a program that reads
            standard input.
        has_length (`bool`, *optional*, defaults to `False`): Whether a line with its length precedes a list.
        wrong (`Collection[str]`, *optional*): Stages that have their mistake.

    Returns:
        `str`: The program.
    """
    names: list[str] = []
    for position in range(len(graph.inputs) + len(graph.nodes)):
        is_input = position < len(graph.inputs)
        noun = _INPUT_NOUNS[graph.inputs[position]] if is_input else _stage(graph, position).noun
        names.append(author.value_name(position, noun, names))
    inputs = names[: len(graph.inputs)]
    if is_call:
        body = _converted(graph.inputs, inputs, author)
    else:
        body = _reading(graph.inputs, inputs, author, has_length=has_length)
    helpers: list[str] = []
    for position, node in enumerate(graph.nodes, len(graph.inputs)):
        lines, arguments = _stage_lines(graph, node, names, names[position], author, rng, wrong)
        if author.layout == "helpers" and len(lines) >= _HELPER_LINES:
            taken = [line for line in helpers if line.startswith("def ")]
            function = f"find_{node.stage}" if author.values == "words" else f"f{len(taken) + 1}"
            function += str(position) if any(line.startswith(f"def {function}(") for line in taken) else ""
            result = names[position]
            helpers += [f"def {function}({', '.join(arguments)}):", *_indent([*lines, f"return {result}"]), ""]
            body.append(f"{result} = {function}({', '.join(arguments)})")
        else:
            body += lines
    answers = [_plain(graph.type_of(position), names[position], author) for position in graph.printed]
    if is_call:
        answer = answers[0] if len(answers) == 1 else f"[{', '.join(answers)}]"
        main = [f"def {_FUNCTION}({', '.join(inputs)}):", *_indent([*body, f"return {answer}"])]
    else:
        main = body + [
            _printing(graph.type_of(i), text, author) for i, text in zip(graph.printed, answers, strict=True)
        ]
        if author.layout == "main":
            main = ["def main():", *_indent(main), "", "main()"]
    imports = ["import sys", ""] if author.reading == "lines" and not is_call else []
    return "\n".join([*imports, *helpers, *main, ""])


def _stage(graph: Graph, position: int) -> Stage:
    return STAGES[graph.nodes[position - len(graph.inputs)].stage]


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _stage_lines(
    graph: Graph,
    node: Node,
    names: Sequence[str],
    result: str,
    author: Author,
    rng: random.Random | None,
    wrong: Collection[str],
) -> tuple[list[str], list[str]]:
    """The lines of a stage, and the variables that they read."""
    scope = {role: names[position] for role, position in zip("ab", node.arguments, strict=False)}
    if graph.type_of(node.arguments[0]) in OF_A_LIST:
        scope["s"] = names[graph.list_of(node.arguments[0])]
    read = [scope[role] for role in ("s", "a", "b") if role in scope]
    if graph.type_of(node.arguments[0]) == "grid":
        read += [author.locals()["h"], author.locals()["w"]]
    if node.constant is not None:
        scope["k"] = str(node.constant)
    template = author.template(STAGES[node.stage], rng)
    lines = expand(template, {**scope, "r": result}, author, is_wrong=node.stage in wrong)
    return lines, list(dict.fromkeys(read))


def _reading(types: Sequence[ValueType], names: Sequence[str], author: Author, *, has_length: bool) -> list[str]:
    local = author.locals()
    lines = [f'{local["line"]} = sys.stdin.read().split("\\n")'] if author.reading == "lines" else []
    count = 0

    def next_line() -> str:
        nonlocal count
        count += 1
        return f"{local['line']}[{count - 1}]" if author.reading == "lines" else "input()"

    for value_type, name in zip(types, names, strict=True):
        if value_type == "number":
            lines.append(f"{name} = int({next_line()})")
        elif value_type == "word":
            line = next_line()
            lines.append(f"{name} = {line if author.form_of('word') == 'text' else f'list({line})'}")
        elif value_type == "list":
            if has_length:
                lines.append(f"{local['n']} = int({next_line()})")
            lines.append(f"{name} = {_integers(next_line(), author)}")
        else:
            lines.append(f"{local['h']}, {local['w']} = map(int, {next_line()}.split())")
            row = f"{local['line']}[{count} + {local['i']}]" if author.reading == "lines" else "input()"
            lines += _grid_reading(name, row, author)
    return lines


def _integers(line: str, author: Author) -> str:
    if author.taste == 0:
        return f"[int({author.locals()['y']}) for {author.locals()['y']} in {line}.split()]"
    return f"list(map(int, {line}.split()))"


def _grid_reading(name: str, row: str, author: Author) -> list[str]:
    local, form = author.locals(), author.form_of("grid")
    header = f"for {local['i']} in range({local['h']}):"
    if form == "cells":
        inner = f"    for {local['j']}, {local['y']} in enumerate({row}.split()):"
        return [f"{name} = {{}}", header, inner, f"        {name}[{local['i']}, {local['j']}] = int({local['y']})"]
    if form == "flat":
        value = _integers(row, author)
        return [
            f"{name} = []",
            header,
            f"    {name} += {value}" if author.augmented else f"    {name} = {name} + {value}",
        ]
    return [f"{name} = []", header, f"    {name}.append({_integers(row, author)})"]


def _converted(types: Sequence[ValueType], names: Sequence[str], author: Author) -> list[str]:
    """Bring the arguments of a call into the forms of the author."""
    local = author.locals()
    lines = []
    for value_type, name in zip(types, names, strict=True):
        if value_type == "word" and author.form_of("word") == "letters":
            lines.append(f"{name} = list({name})")
        elif value_type == "grid":
            lines += [f"{local['h']} = len({name})", f"{local['w']} = len({name}[0])"]
            x, i, j = local["x"], local["i"], local["j"]
            if author.form_of("grid") == "flat":
                lines.append(f"{name} = [{x} for {local['line']} in {name} for {x} in {local['line']}]")
            elif author.form_of("grid") == "cells":
                lines.append(
                    f"{name} = {{({i}, {j}): {name}[{i}][{j}] for {i} in range({local['h']}) for {j} in range({local['w']})}}"
                )
    return lines


def _plain(value_type: ValueType, name: str, author: Author) -> str:
    """An expression for a value in the form that the statement asks for."""
    index = author.locals()["i"]
    if value_type == "positions":
        form = author.form_of("positions")
        if form == "mask":
            return f"[{index} + 1 for {index} in range(len({name})) if {name}[{index}]]"
        return name if form == "from 1" else f"[{index} + 1 for {index} in {name}]"
    if value_type in ("word", "code") and author.form_of("word") == "letters":
        return f'"".join({name})'
    return name


def _printing(value_type: ValueType, text: str, author: Author) -> str:
    if value_type not in ("list", "positions"):
        return f"print({text})"
    return f"print(*{text})" if author.taste == -1 else f'print(" ".join(map(str, {text})))'


def count_statements(program: str) -> int:
    """Number of statements of a program, those inside others included."""
    return sum(isinstance(node, ast.stmt) for node in ast.walk(ast.parse(program)))


@functools.cache
def stage_costs() -> dict[str, float]:
    """Statements of each stage, on average over the authors."""
    costs = {}
    for stage in STAGES.values():
        inputs: list[ValueType] = ["list" if kind in (*OF_A_LIST, "counts") else kind for kind in stage.takes]
        arguments = tuple(range(len(inputs)))
        before: tuple[Node, ...] = ()
        if stage.takes[0] in _SOURCES:
            before, arguments = (Node(_SOURCES[stage.takes[0]], (0,)),), (1,)
        node = Node(stage.name, arguments, stage.constants[0] if stage.constants else None)
        pair = [Graph(tuple(inputs), (*before, node)), Graph(tuple(inputs), before)]
        longer, shorter = (mean(_statements(graph)) for graph in pair)
        costs[stage.name] = longer - shorter
    return costs


@functools.cache
def reading_cost(inputs: tuple[ValueType, ...], is_call: bool) -> float:
    """Median of the other statements, without one per printed value."""
    return median(_statements(Graph(inputs, ()), is_call=is_call))


def _statements(graph: Graph, *, is_call: bool = False) -> list[int]:
    """Statements of each author's program without one for each printed value."""
    programs = (write_program(graph, author, is_call=is_call) for author in AUTHORS)
    return [count_statements(program) - len(graph.printed) for program in programs]
