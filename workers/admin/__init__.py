"""Operators' pages for connections and the engine's rows; every change goes through the services of this package."""

from workers.admin import archive, connections, lanes, runs

__all__ = ["archive", "connections", "lanes", "runs"]
