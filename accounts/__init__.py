"""Accounts (tenants), the people in them, their tokens, and the one place that answers "may they?"."""
