"""The reports of Anthropic, one module per family: its requests, and its pages turned into records; pure, refuses what it cannot trust."""
