"""The cast of the API tests: what is tested here stands before and around the API."""

import pytest

from tests.api.conftest import admin, no_collected_files, nobody, viewer

__all__ = ["admin", "no_collected_files", "nobody", "viewer"]


@pytest.fixture(autouse=True)
def one_report(bill_only: None) -> None:
    """One report, one lane, one run: what is counted here is counted once."""
