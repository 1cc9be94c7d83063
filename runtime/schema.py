"""Brings the schema of an embedded database up to date; knows no model."""

import sys

import django
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor


def apply_pending_migrations() -> None:
    """Apply what is missing, reported on standard error: standard output belongs to the command."""
    django.setup()
    connection = connections[DEFAULT_DB_ALIAS]
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        print("Preparing the database …", file=sys.stderr, flush=True)
        call_command("migrate", interactive=False, verbosity=0, stdout=sys.stderr)
