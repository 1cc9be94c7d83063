"""A Celery task that does nothing, on the product's own Celery settings: what a message costs at least."""

from config.celery import app

__all__ = ["app", "noop"]


@app.task(name="bench.noop")
def noop(**_: object) -> None:
    """Do nothing."""
