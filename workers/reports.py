"""The reports of a connection: which it has, which days each should have, which are refused, how far each is settled."""

import datetime as dt

from django.conf import settings

from costs import attribution, freshness, sources
from costs.attribution import Connected
from costs.models import DayDigest
from foundation.periods import DayRange
from integrations.anthropic.report_specs import REPORT_SPECS, ReportSpec
from integrations.errors import UpstreamError
from integrations.models import Connection, Report

# The first family of an origin has the bill and the names; its run is the one people are shown.
FIRST_FAMILY = {"claude_platform": "classic", "claude_ai": "analytics"}


def specs() -> list[ReportSpec]:
    """Return the reports that are read here, in the order of the table; an operator may turn some off."""
    return [spec for spec in REPORT_SPECS.values() if spec.name not in settings.REPORTS_OFF]


def families_of(origin: str) -> tuple[str, ...]:
    """Return the API families that connections of an origin are read through, the one with the bill first."""
    used = {spec.family for spec in specs() if spec.origin == origin and spec.instead_of is None}
    return tuple(sorted(used, key=lambda family: (family != FIRST_FAMILY[origin], family)))


def families(connection: Connection) -> tuple[str, ...]:
    """Return the API families this connection is read through, the one with the bill first."""
    return families_of(connection.origin)


def ensure(connection: Connection, today: dt.date) -> list[Report]:
    """Return the connection's reports, creating rows for those it does not have yet; a new version may know more."""
    known = {report.report_name: report for report in connection.reports.all()}
    missing = [
        _new(connection, spec, today)
        for spec in specs()
        if spec.origin == connection.origin and spec.name not in known and spec.instead_of is None
    ]
    Report.objects.bulk_create(missing, ignore_conflicts=True)
    return list(connection.reports.all()) if missing else list(known.values())


def readable(connection: Connection, family: str, today: dt.date) -> list[tuple[ReportSpec, Report]]:
    """Return the reports of a family that upstream does not refuse, in the order of the table."""
    reports = {report.report_name: report for report in ensure(connection, today) if not report.is_refused}
    return [(spec, reports[spec.name]) for spec in specs() if spec.name in reports and spec.family == family]


def refuse(
    connection: Connection, spec: ReportSpec, error: UpstreamError, today: dt.date
) -> list[ReportSpec]:
    """
    Note that upstream refuses this report to the key; return what is read instead from now on.

    Effects: report rows, the connection's authoritative cost report when that was the one refused
    """
    Report.objects.filter(connection=connection, report_name=spec.name).update(
        is_refused=True, reason=error.reason, detail=error.detail
    )
    instead = [each for each in REPORT_SPECS.values() if each.instead_of == spec.name]
    known = set(connection.reports.values_list("report_name", flat=True))
    Report.objects.bulk_create(_new(connection, each, today) for each in instead if each.name not in known)
    Report.objects.filter(connection=connection, report_name__in=[each.name for each in instead]).update(
        is_refused=False, reason="", detail=""
    )
    bill = next((each for each in instead if each.is_bill), None)
    if bill and connection.cost_source == spec.name:
        connection.cost_source = bill.name
        connection.save(update_fields=["cost_source"])
    return instead


def reopen(connection: Connection) -> None:
    """Try refused reports again: the key was replaced, or a person says that it may read them now."""
    connection.reports.filter(is_refused=True).update(is_refused=False, reason="", detail="")


def note_trouble(connection: Connection, report_name: str, error: UpstreamError) -> None:
    """Say at the report what is wrong with it; the next window that is stored clears it."""
    connection.reports.filter(report_name=report_name).update(reason=error.reason, detail=error.detail)


def note_read(connection: Connection, report_name: str, now: dt.datetime) -> None:
    """Say that a window of the report was stored, so that it cannot be one that upstream refuses."""
    connection.reports.filter(report_name=report_name).update(
        read_at=now, is_refused=False, reason="", detail=""
    )


def raise_first_day(connection: Connection, report_name: str, first: dt.date) -> None:
    """Want no day of the report before this one: upstream does not report it any more."""
    report = connection.reports.filter(report_name=report_name).first()
    if report is None or report.wanted_from is None:
        return
    report.wanted_from = max(report.wanted_from, first)
    report.save(update_fields=["wanted_from"])


def settle(connection: Connection, today: dt.date) -> None:
    """Work out how far each report, and with them the connection, is settled; the caller saves the connection."""
    settled = freshness.settled_through(connection.pk, DayRange(dt.date.min, today))
    read = connection.reports.exclude(report_name__in=settings.REPORTS_OFF).filter(wanted_from__isnull=False)
    reports = [report for report in read if not report.is_refused]
    for report in reports:
        if report.settled_through != settled.get(report.report_name):
            report.settled_through = settled.get(report.report_name)
            report.save(update_fields=["settled_through"])
    ends = [report.settled_through for report in reports]
    known = [end for end in ends if end is not None]
    connection.settled_through = min(known) if known and len(known) == len(ends) else None


def first_reported_day(connection: Connection, today: dt.date) -> dt.date | None:
    """Return the first day that upstream reports in the connection's bill; None when nobody said that there is one."""
    floor = REPORT_SPECS[connection.cost_source].first_available_day
    return floor(today) if floor else None


def billed_days(connection: Connection) -> set[dt.date]:
    """Return every day that some report which tells the whole bill has."""
    stored = DayDigest.objects.filter(connection=connection, source__in=sources.BILLS)
    return set(stored.values_list("day", flat=True))


def revive(connection: Connection, today: dt.date) -> None:
    """Begin anew with the reports of a connection that was disconnected: its key, its depth and the day are others."""
    for report in connection.reports.all():
        spec = REPORT_SPECS[report.report_name]
        report.is_refused, report.reason, report.detail, report.settled_through = False, "", "", None
        if report.wanted_from is not None:
            report.wanted_from = _wanted_from(connection, spec, today)
        report.save()


def connected(connection: Connection) -> Connected:
    """Return what the shares of keys and people depend on."""
    known = connection.reports.exclude(report_name__in=settings.REPORTS_OFF)
    native = known.filter(report_name="analytics_cost", is_refused=False).first()
    return Connected(connection.pk, connection.cost_source, native.wanted_from if native else None)


def share_out(connection: Connection, now: dt.datetime) -> None:
    """Share out the days that a report would have answered for which does not come any more."""
    attribution.refresh(connected(connection), billed_days(connection), observed_at=now)


def deepen(connection: Connection, today: dt.date) -> None:
    """Want the older days of each report that the connection wants by now; no report comes to want fewer."""
    for report in connection.reports.filter(wanted_from__isnull=False):
        first = _wanted_from(connection, REPORT_SPECS[report.report_name], today)
        if report.wanted_from is not None and first < report.wanted_from:
            report.wanted_from = first
            report.save(update_fields=["wanted_from"])


def window_of(
    spec: ReportSpec, report: Report, days: DayRange, today: dt.date, *, by_person: bool
) -> DayRange | None:
    """
    Return the part of the days that the report can have; None when there is none.

    Who asks for days by hand may have older ones than the connection was filled with, but none that upstream no
    longer reports.
    """
    first = days.start if by_person else max(days.start, report.wanted_from or days.start)
    if spec.first_available_day:
        first = max(first, spec.first_available_day(today))
    return DayRange(first, days.end) if first < days.end else None


def _new(connection: Connection, spec: ReportSpec, today: dt.date) -> Report:
    return Report(
        connection=connection,
        report_name=spec.name,
        kind=spec.kind,
        is_bill=spec.is_bill,
        settle_days=spec.settle_days,
        wanted_from=None if spec.max_window_days is None else _wanted_from(connection, spec, today),
    )


def _wanted_from(connection: Connection, spec: ReportSpec, today: dt.date) -> dt.date:
    first = connection.wanted_from
    if spec.depth_days is not None:
        first = max(first, today - dt.timedelta(days=spec.depth_days))
    return max(first, spec.first_available_day(today)) if spec.first_available_day else first
