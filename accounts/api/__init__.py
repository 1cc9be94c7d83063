"""The REST API of tokens and the audit log."""
