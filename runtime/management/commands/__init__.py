"""`up` and `test`."""
