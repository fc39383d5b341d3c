"""Numbers with their provenance: recorded in notebooks, promised in claims, compared here."""

from scispaces.evidence.claims import Claim, format_value, load_claims
from scispaces.evidence.project import (
    find_root,
    load_checks,
    load_discrepancies,
    load_recorded,
    load_results,
)
from scispaces.evidence.records import recall, record

__all__ = [
    "Claim",
    "find_root",
    "format_value",
    "load_checks",
    "load_claims",
    "load_discrepancies",
    "load_recorded",
    "load_results",
    "recall",
    "record",
]
