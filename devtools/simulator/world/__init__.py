"""The simulated facts: who the organisations are, what they used and what it cost; knows nothing of HTTP."""
