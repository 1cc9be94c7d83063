"""The cost explorer: what an address asks for, what the selectors answer, and how it is written down."""
