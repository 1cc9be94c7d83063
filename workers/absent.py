"""Which answers mean that a report is not to be had with this key, so that the sync goes on without it; pure."""

from integrations.anthropic.report_specs import REPORT_SPECS
from integrations.errors import Fate, Reason, UpstreamError
from workers.models import SyncStep

# Answers that concern one report, not the key; and those to a question that upstream does not know.
_REFUSED = frozenset({Reason.SCOPE_MISSING, Reason.KEY_WRONG_KIND, Reason.HIPAA_NOT_SERVED})
_UNKNOWN = frozenset({400, 404})
# What something on the way may say for a moment; so often in a row it is no report either.
_NOT_FOUND = frozenset({404, 405})
_NOT_FOUND_OFTEN = 3


def is_refused(step: SyncStep, error: UpstreamError) -> bool:
    """
    Say whether the step's report is refused to the key, or is not there for this organisation.

    A report that is not there is done without where it has an older form, or where the bill is another; a bill
    without an older form is asked for again.
    """
    if error.reason in _REFUSED:
        return True
    has_fallback = any(each.instead_of == step.report_name for each in REPORT_SPECS.values())
    if has_fallback and error.fate is Fate.FATAL and error.status in _UNKNOWN:
        return True
    is_absent = error.is_absent or (error.status in _NOT_FOUND and step.failures + 1 >= _NOT_FOUND_OFTEN)
    return is_absent and (has_fallback or step.report_name != step.run.connection.cost_source)
