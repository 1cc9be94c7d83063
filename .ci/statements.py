"""Counts the product's statements: nodes of the syntax tree, so that line breaks and comments change nothing.

    python3 .ci/statements.py [FOLDER]

Migrations, tests and devtools are left out, because no running service needs them; docstrings are no statements.
"""

import ast
import sys
from collections import Counter
from pathlib import Path

_LEFT_OUT = {
    "tests",
    "devtools",
    "bench",
    "demo",
    "simulator",
    "migrations",
    "findings",
    "docs",
    ".ci",
    ".venv",
}


def statements(source: str) -> int:
    """Return how many statements a module has, without its docstrings."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = sum(
        ast.get_docstring(node, clean=False) is not None
        for node in ast.walk(tree)
        if isinstance(node, documented)
    )
    return sum(isinstance(node, ast.stmt) for node in ast.walk(tree)) - docstrings


def main() -> None:
    """Print a line for each room, and the total."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    rooms: Counter[str] = Counter()
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).parts
        if _LEFT_OUT.isdisjoint(parts) and len(parts) > 1:
            rooms[parts[0]] += statements(path.read_text("utf-8"))
    for room, count in sorted(rooms.items()):
        print(f"{count:7,d}  {room}")
    print(f"{rooms.total():7,d}  in all")


if __name__ == "__main__":
    main()
