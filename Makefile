# What people do here, a line each; every target calls something that also works by itself.
.DEFAULT_GOAL := help
.PHONY: help demo up test check lint format types docs faults bench

help: ## shows this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## the product with simulated organisations; needs no key
	python3 manage.py demo

up: ## the product for real use
	python3 manage.py up

test: ## the whole suite; a part of it: python3 manage.py test tests/costs -k digest
	python3 manage.py test

check: ## everything that a change has to pass
	.ci/run

lint: ## the linter and the import contracts
	.ci/run format lint imports

format: ## formats the code
	.venv/bin/ruff format .

types: ## the type checker
	.ci/run types

docs: ## what documents name exists
	.ci/run docs openapi

faults: ## the fault lab alone
	.ci/run faults

bench: ## ratios to plain COPY, Redis and Celery
	.venv/bin/python -m devtools.bench.ratios
