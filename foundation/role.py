"""Which process of the product this is, by its command line; decides nothing."""

from collections.abc import Sequence
from pathlib import Path

_ENGINE = frozenset({"worker", "beat"})


def is_engine(argv: Sequence[str]) -> bool:
    """Say whether it is worker or beat, by `python -m config.celery_main` or Celery's own command line."""
    program = Path(argv[0])
    return program.name == "celery" or program.parts[-2:] in {
        ("config", "celery_main.py"),
        ("celery", "__main__.py"),
    }


def name_of(argv: Sequence[str]) -> str:
    """Return web, worker, beat, the name of a management command, or that of another program."""
    program, arguments = Path(argv[0]), argv[1:]
    if is_engine(argv):
        return next((each for each in arguments if each in _ENGINE), "celery")
    name = program.parent.name if program.stem == "__main__" else program.stem
    if name == "gunicorn":
        return "web"
    return arguments[0] if name == "manage" and arguments else name
