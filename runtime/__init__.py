"""Starts what the product runs on: virtual environment, embedded PostgreSQL and Valkey, supervised processes.

Standard library and Django's command line only; knows no model, no task and no view.
"""
