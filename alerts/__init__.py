"""Telling people: the outbox of messages and, later, budgets, anomalies and channels."""
