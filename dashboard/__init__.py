"""Web pages over the selectors and the same services as the API."""
