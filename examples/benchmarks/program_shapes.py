"""
Compare the programs of APPS, MiniAPPS and MiniAPPS-L: length, nesting, loops, variables, tests and tokens.

    python examples/benchmarks/program_shapes.py --apps APPS_FOLDER

It prints a table for Markdown. A number is the median over problems of the median over at most 20 solutions of each, with the
quantiles at 10 and 90 % in parentheses; loops and ifs are means. Without --apps, the columns of APPS are left out. Tokens are
those of the tokenizer of `make_mini_model`, trained on the problems of the column, at 50 and 90 % of all solutions.
"""

import argparse
import ast
import json
import statistics
import warnings

from trl_rltf import load_apps, make_mini_apps, make_mini_apps_long
from trl_rltf.data.problems import DIFFICULTIES
from trl_rltf.mini import make_mini_model


MAX_SOLUTIONS = 20
LOOPS = (ast.For, ast.While, ast.AsyncFor)
NESTED = (*LOOPS, ast.If, ast.With, ast.Try, ast.FunctionDef, ast.ClassDef)
ROWS = {
    "statements": "statements",
    "lines": "lines",
    "characters": "characters",
    "nesting depth": "depth",
    "variables assigned": "variables",
}


def depth_of(node, depth=0):
    """Depth to which statements contain each other; an elif is as deep as its if."""
    deepest = depth
    for name, value in ast.iter_fields(node):
        is_elif = isinstance(node, ast.If) and name == "orelse" and len(value) == 1 and isinstance(value[0], ast.If)
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                step = isinstance(child, NESTED) and not is_elif
                deepest = max(deepest, depth_of(child, depth + step))
    return deepest


def shape_of(source):
    """The counts of a program, or `None` if it is not Python 3."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    nodes = list(ast.walk(tree))
    return {
        "statements": sum(isinstance(node, ast.stmt) for node in nodes),
        "lines": sum(bool(line.strip()) for line in source.splitlines()),
        "characters": len(source),
        "depth": depth_of(tree),
        "loops": sum(isinstance(node, LOOPS) for node in nodes),
        "ifs": sum(isinstance(node, ast.If) for node in nodes),
        "variables": len({n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}),
    }


def spread(values):
    """Median, with the quantiles at 10 and 90 %."""
    if len(values) < 2:
        return f"{statistics.median(values):.0f}"
    quantiles = statistics.quantiles(values, n=10, method="inclusive")
    return f"{statistics.median(values):.0f} ({quantiles[0]:.0f}-{quantiles[8]:.0f})"


def column_of(problems, *, with_tokens):
    """The cells of a dataset."""
    shapes = []
    for row in problems:
        found = [shape for source in row["solutions"][:MAX_SOLUTIONS] if (shape := shape_of(source))]
        if found:
            shapes.append({name: statistics.median(shape[name] for shape in found) for name in found[0]})
    tests = [json.loads(text) for text in problems["tests"]]
    cells = {title: spread([shape[name] for shape in shapes]) for title, name in ROWS.items()}
    means = [f"{statistics.mean(shape[name] for shape in shapes):.1f}" for name in ("loops", "ifs")]
    cells["loops / ifs, mean"] = " / ".join(means)
    cells["tests per problem"] = spread([len(test.get("inputs", test.get("asserts", ()))) for test in tests])
    cells["solutions per problem"] = spread([len(solutions) for solutions in problems["solutions"]])
    cells["words of the prompt"] = spread([len(prompt.split()) for prompt in problems["prompt"]])
    cells["tokens of a prompt, 50 / 90 %"] = cells["tokens of a solution, 50 / 90 %"] = "-"
    if with_tokens:
        _, tokenizer = make_mini_model(problems, hidden_size=48, num_layers=1)
        sources = [source for solutions in problems["solutions"] for source in solutions]
        for title, texts in (("prompt", list(problems["prompt"])), ("solution", sources)):
            lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
            quantiles = statistics.quantiles(lengths, n=10, method="inclusive")
            cells[f"tokens of a {title}, 50 / 90 %"] = f"{quantiles[4]:.0f} / {quantiles[8]:.0f}"
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--apps", help="folder of APPS, with `train/NNNN/`")
    parser.add_argument("--num_problems", type=int, default=400, help="problems of MiniAPPS-L per column")
    args = parser.parse_args()
    columns = {"MiniAPPS": column_of(make_mini_apps("train"), with_tokens=True)}
    for num_statements in (None, 4, 8, 16, 30):
        problems = make_mini_apps_long("train", num_problems=args.num_problems, num_statements=num_statements)
        columns["MiniAPPS-L" if num_statements is None else f"L, {num_statements}"] = column_of(
            problems, with_tokens=True
        )
    if args.apps:
        problems = load_apps(args.apps, split="train")
        for level in DIFFICULTIES:
            chosen = problems.filter(lambda row, level=level: row["difficulty"] == level)
            columns[f"APPS {level} ({len(chosen)})"] = column_of(chosen, with_tokens=False)
        columns[f"APPS ({len(problems)})"] = column_of(problems, with_tokens=False)
    print(f"| | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}")
    for title in next(iter(columns.values())):
        print(f"| {title} | {' | '.join(column[title] for column in columns.values())} |")


if __name__ == "__main__":
    main()
