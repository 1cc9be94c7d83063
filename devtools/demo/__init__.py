"""The product with a simulated Anthropic behind it, driven from outside through its own API."""
