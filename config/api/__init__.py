"""What all endpoints of the REST API share: base view, parameters, paging, idempotency, schema; no endpoint of its own."""
