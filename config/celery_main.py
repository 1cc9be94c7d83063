"""Worker and beat as programs: python -m config.celery_main worker … or beat …, with Celery's own options."""

import logging
import sys

# What structlog would colour tracebacks with, which are logged here. None looks as if it were not installed.
sys.modules["rich"] = None  # type: ignore[assignment]

import click  # noqa: E402 - what follows may import structlog
from celery.apps import worker as messages  # noqa: E402
from celery.bin.base import CLIContext  # noqa: E402
from celery.bin.beat import beat  # noqa: E402
from celery.bin.worker import worker  # noqa: E402

from config.celery import app  # noqa: E402
from foundation import env, logs  # noqa: E402


@click.group(commands=[worker, beat])
@click.pass_context
def main(context: click.Context) -> None:
    """
    Run a worker or beat.

    The program `celery` can do so too, but imports a shell and all its other commands: with the above a tenth of what
    a worker holds in memory.
    """
    logs.take_over(logs.configure(env.text("LOG_FORMAT", "json"), env.text("LOG_LEVEL", "INFO").upper()))
    messages.safe_say = _say
    context.obj = CLIContext(app=app, no_color=True, workdir=None, quiet=True)


def _say(message: str, *_: object) -> None:
    """Log what Celery's worker tells a person at a terminal: it would write that past everything, to the file itself."""
    logging.getLogger("celery.worker").info(message)


if __name__ == "__main__":
    main()
