"""Measures the product: ratios to plain COPY, Redis and Celery, pages, exports, load; needs the test set of packages."""
