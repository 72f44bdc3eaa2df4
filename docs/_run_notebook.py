"""
Run the code cells of a notebook in this process, and print or store what they print.

    python docs/_run_notebook.py docs/notebooks/only_the_grader.ipynb            # run it
    python docs/_run_notebook.py docs/notebooks/only_the_grader.ipynb --write    # and store its output in the file

Lines that begin with `%` or `!`, such as `%pip install`, are left out: what they install is there. An error ends the run.
"""

import argparse
import contextlib
import io
import json
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the code cells of a notebook.")
    parser.add_argument("notebook", type=Path, help="file of a notebook")
    parser.add_argument("--write", action="store_true", help="store the output of the cells in the file")
    args = parser.parse_args()
    notebook = json.loads(args.notebook.read_text())
    names = {"__name__": "__main__"}
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code(cell), f"{args.notebook.name}, cell {number}", "exec"), names)
        sys.stdout.write(output.getvalue())
        cell["outputs"] = stored(output.getvalue())
    if args.write:
        args.notebook.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def code(cell: dict) -> str:
    """The Python of a cell, with an empty line in place of a command of the notebook."""
    lines = "".join(cell["source"]).splitlines()
    return "\n".join("" if line.startswith(("%", "!")) else line for line in lines)


def stored(text: str) -> list[dict]:
    """The outputs of a cell that printed a text."""
    return [{"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}] if text else []


if __name__ == "__main__":
    main()
