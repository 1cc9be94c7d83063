"""Reports that the operator has turned off: what was queued of them before is closed."""

from django.conf import settings

from workers import outcomes, reports, states
from workers.clock import database_now
from workers.models import SyncRun, SyncStep


def skip(lane_id: int) -> None:
    """Close the steps of reports that the operator has turned off since they were planned; call with the lane locked."""
    off = SyncStep.objects.filter(
        run__lane_id=lane_id, run__status__in=SyncRun.ACTIVE, status=SyncStep.Status.QUEUED,
        report_name__in=settings.REPORTS_OFF,
    )  # fmt: skip
    of_each_run = off.select_related("run__connection__account", "run__lane").order_by("run_id", "position")
    # By the connection: the other lane of the organisation may have steps of the same connections to close.
    for step in sorted(of_each_run.distinct("run_id"), key=lambda step: step.run.connection_id):
        now = database_now()
        connection = states.hold(step.run.connection)
        off.filter(run_id=step.run_id).update(status=SyncStep.Status.SKIPPED, finished_at=now)
        reports.share_out(connection, now)
        outcomes.close_run_if_done(step, now)
