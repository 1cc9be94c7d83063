"""The sync engine: lanes, runs, steps, the rate limiter, and the Celery tasks that nudge them."""
