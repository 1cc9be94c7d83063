"""RFC 9457 problem details: one shape for every error of the REST API."""
