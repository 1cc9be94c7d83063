"""`up`, `release` and `test`."""
