"""Check the installation and say what to do; status 1 when something is wrong."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from workers.doctor import examine


class Command(BaseCommand):
    help = "Check database, Redis, key ring, workers, beat, connections, clock, disk, Anthropic and mail; say what to do."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, **options: Any) -> None:
        findings = []
        for finding in examine():
            findings.append(finding)
            if not options["json"]:
                self.stdout.write(f"{'ok  ' if finding.is_well else 'FAIL'} {finding.name}: {finding.seen}")
                if finding.remedy:
                    self.stdout.write(f"     → {finding.remedy}")
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        if not all(finding.is_well for finding in findings):
            sys.exit(1)
