"""Column types of the facts."""

from typing import Any

from django.db import models


class UsdField(models.DecimalField):  # type: ignore[type-arg]
    """An exact amount in USD: PostgreSQL `numeric` without a fixed scale, so every digit upstream sent stays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 60)
        kwargs.setdefault("decimal_places", 32)
        super().__init__(*args, **kwargs)

    def db_type(self, connection: Any) -> str:  # noqa: ARG002 - Django's signature
        return "numeric"
