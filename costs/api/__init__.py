"""REST endpoints of costs: rows, summaries, restatements, workspaces, completeness; each asks one selector."""
