"""Owns the names of products: each generation of reports spells some of them in its own way."""

from __future__ import annotations

# The newer reports' spelling is the one kept (official Python SDK 2.12.0 and documents of August, read 2026-11).
_SPELLINGS = {"claude-tag": "claude_tag", "claude-in-slack": "claude_tag"}


def normalise(product: str | None) -> str | None:
    """Return a product in the one spelling of all reports; one that we do not know stays as it is."""
    return product if product is None else _SPELLINGS.get(product, product)
