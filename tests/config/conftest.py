"""The cast of the API tests: what is tested here stands before and around the API."""

from tests.api.conftest import admin, no_collected_files, nobody, viewer

__all__ = ["admin", "no_collected_files", "nobody", "viewer"]
