"""The facts: what was spent, on which day, by whom, as upstream last stated it. Knows no provider, no queue and no HTTP."""
