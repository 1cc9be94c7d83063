"""`test`: the whole suite through pytest; every argument is pytest's."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.test.utils import get_runner


class Command(BaseCommand):
    help = "Runs the tests. All arguments go to pytest, for example: manage.py test tests/costs -k digest -x"
    requires_system_checks = []

    def run_from_argv(self, argv: list[str]) -> None:
        """Skip Django's parser, which would refuse pytest's options."""
        sys.exit(self._run(argv[2:]))

    def handle(self, *arguments: str, **_: Any) -> None:
        sys.exit(self._run(list(arguments)))

    def _run(self, arguments: list[str]) -> int:
        return int(get_runner(settings)().run_tests(arguments))
