"""The base of every REST endpoint: whose token asks, how often, and once only where it creates; holds no endpoint."""
