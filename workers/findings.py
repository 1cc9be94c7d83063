"""The shape of what a check of the installation saw."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw; `remedy` is empty when all is well."""

    name: str
    seen: str
    remedy: str = ""

    @property
    def is_well(self) -> bool:
        """True when nothing has to be done."""
        return not self.remedy
