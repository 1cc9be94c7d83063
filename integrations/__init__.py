"""Connections to providers and what it takes to talk to them; holds no fact and draws no chart."""
