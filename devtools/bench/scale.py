"""Runs 100, 1,000 and 10,000 connections through real workers and beat: python -m devtools.bench.scale [--quick] [--json].

Everything runs on embedded servers of its own that are thrown away afterwards. `--connections 100,1000` chooses
the sizes; the full form takes most of an hour on two cores.
"""

import argparse
from collections.abc import Sequence

from devtools.bench import ground
from devtools.bench.figures import Figure, print_table, to_json

# Of every ten simulated organisations about six are of the size that is connected.
_ORGANISATIONS_A_CONNECTION = 2
# A daily sync is then two requests, the bill and the names of workspaces, so that the figures of years can be compared.
_OTHER_REPORTS = (
    "usage_report,claude_code,api_keys,users,analytics_cost,analytics_cost_serving,analytics_usage,"
    "analytics_usage_serving"
)


def main() -> None:
    """Measure each size, print."""
    parser = argparse.ArgumentParser(prog="python -m devtools.bench.scale", description=__doc__)
    parser.add_argument(
        "--connections", default="100,1000,10000", help="sizes, with commas (default %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="short intervals, 20 and 100 connections; rough figures"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument("--workers", type=int, default=1, help="worker processes (default %(default)s)")
    parser.add_argument(
        "--most-due", type=int, default=1_000_000, help="in the wave, let no more than so many be due at once"
    )
    parser.add_argument("--only", choices=["idle", "wave", "jitter", "fairness", "year"], action="append")
    arguments = parser.parse_args()
    sizes = [20, 100] if arguments.quick else [int(size) for size in arguments.connections.split(",")]
    sections: dict[str, Sequence[Figure]] = {}
    settings = {
        "ANTHROPIC_REQUESTS_PER_MINUTE": "1", "ANTHROPIC_BURST": "10", "DAILY_JITTER_SECONDS": "1800",
        "REPORTS_OFF": _OTHER_REPORTS,
    }  # fmt: skip
    organisations = max(_ORGANISATIONS_A_CONNECTION * max(sizes), 400)
    with ground.started(organisations=organisations, settings=settings) as place:
        # Models exist only now that the servers' addresses are settings.
        from devtools.bench.crowd import Crowd  # noqa: PLC0415

        crowd = Crowd(place, workers=arguments.workers, quick=arguments.quick, most_due=arguments.most_due)
        _show(sections, "Limits of this run", crowd.limits(), quiet=arguments.json)
        for size in sizes:
            crowd.gather(size)
            for name, (title, measure) in crowd.measures().items():
                if arguments.only and name not in arguments.only:
                    continue
                _show(sections, f"{size:,} connections: {title}", measure(), quiet=arguments.json)
        if growth := crowd.growth():
            _show(sections, "From the smallest to the largest", growth, quiet=arguments.json)
        about = ground.machine()
    print(
        to_json(about, sections)
        if arguments.json
        else "\n" + "  ".join(f"{k}: {v}" for k, v in about.items())
    )


def _show(
    sections: dict[str, Sequence[Figure]], title: str, figures: Sequence[Figure], *, quiet: bool
) -> None:
    """Keep a table, and print it at once: a long run that is cut short has told what it knew."""
    sections[title] = figures
    if not quiet:
        print_table(title, figures)


if __name__ == "__main__":
    main()
