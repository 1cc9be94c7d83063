"""A window whose last page has come: its archived pages become facts, or are told to be no answer."""

import datetime as dt

from costs import attribution, ingest, novelties, tables
from costs.ingest import Ingested
from costs.news import News
from foundation.periods import DayRange, day_start
from integrations.anthropic import vocabulary
from integrations.anthropic.report_specs import REPORT_SPECS, ParsedWindow, ReportSpec
from integrations.errors import unreadable
from workers import archive, reports, states
from workers.archive import Archived
from workers.models import SyncStep

# Anthropic's reports follow within minutes; two days leave room for a pipeline in trouble.
LATEST_DAY_KNOWN = dt.timedelta(days=2)


def read(step: SyncStep) -> tuple[Archived, ParsedWindow]:
    """
    Normalise the step's archived pages.

    Raises:  UpstreamError — they were damaged, end too early or are no answer to the question
    """
    spec, days = REPORT_SPECS[step.report_name], DayRange(step.window_start, step.window_end)
    try:
        archived = archive.read_back(step)
        reading = spec.read(days, archived.bodies, archived.request_ids)
    except archive.ArchiveError as error:
        raise archive.damaged(error) from error
    left_out = _left_out(days, spec, reading, archived.first_requested_at)
    if left_out:
        raise unreadable(f"it leaves out {left_out} and later days of the window")
    return archived, reading


def write(step: SyncStep, archived: Archived, reading: ParsedWindow, *, now: dt.datetime) -> Ingested:
    """
    Replace the window's facts, and what follows from them: shares of keys and people, the first data, what is new.

    Shape:   lists of names have no facts: nothing is written here
    Effects: call inside the transaction that closes the step, with lane and connection held
    """
    spec, connection = REPORT_SPECS[step.report_name], step.run.connection
    unread = [News(spec.name, "unread", "row", row) for row in reading.unread]
    novelties.note(connection.pk, [*vocabulary.list_news(reading.records), *unread], observed_at=now)
    if spec.kind == "names":
        return Ingested()
    window = ingest.Window(
        connection.pk, spec.name, reading.covered, archived.speaks_of(reading), now, step.run_id,
        tables.TABLES[spec.kind], day_ends=reading.day_ends,
    )  # fmt: skip
    written = ingest.replace_window(window, reading.records)
    if spec.name in attribution.MATTERS:
        # Every day, not only changed ones: what was still expected when a day was stored may not come any more.
        attribution.refresh(reports.connected(connection), reading.covered, observed_at=now)
    if spec.name == connection.cost_source:
        states.after_window(connection, has_rows=bool(reading.records), now=now)
    return written


def _left_out(
    window: DayRange, spec: ReportSpec, reading: ParsedWindow, first_requested_at: dt.datetime
) -> dt.date | None:
    """
    Return the first day a report by buckets ends before or within, though it had long ended when it was asked for.

    Upstream may not know the youngest days yet; an older one it does not mention is an answer cut short. The
    analytics family has no buckets for days without rows, and says itself up to when it knows.
    """
    if spec.family != "classic" or spec.kind not in {"cost", "usage"}:
        return None
    known_by = first_requested_at - LATEST_DAY_KNOWN
    for day in window.days():
        ended = day_start(day) + dt.timedelta(days=1)
        is_whole = day in reading.covered and reading.day_ends.get(day, ended) >= ended
        if not is_whole and ended <= known_by:
            return day
    return None
