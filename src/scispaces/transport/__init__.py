"""Transport between words: exact distances, bounds, neighbours."""

from scispaces.transport.exact import (
    TransportBatch,
    TransportPlan,
    emd,
    emd_batch,
    emd_plan,
)

__all__ = ["TransportBatch", "TransportPlan", "emd", "emd_batch", "emd_plan"]
