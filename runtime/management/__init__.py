"""Management commands of the runtime; found by Django."""
