"""A faithful, fault-capable stand-in for Anthropic's organisation API; knows nothing of the rest of the project."""
