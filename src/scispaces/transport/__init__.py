"""Transport between words, exactly: distances, their bounds, nearest documents.

Arrays or tensors in, the same out. The solver works in float64 whatever comes in, and every
distance comes with its duality gap; `sinkhorn` is the approximation that has gradients.
"""

from scispaces.transport.bounds import rwmd, wcd, wrd_lower_bound
from scispaces.transport.documents import (
    Documents,
    documents_from_tokens,
    documents_from_vectors,
)
from scispaces.transport.entropic import EntropicTransport, sinkhorn
from scispaces.transport.exact import (
    TransportBatch,
    TransportPlan,
    emd,
    emd_batch,
    emd_plan,
)
from scispaces.transport.neighbours import Neighbours, nearest_documents
from scispaces.transport.words import PairDistances, wmd, wmd_pairs, wrd, wrd_pairs

__all__ = [
    "Documents",
    "EntropicTransport",
    "Neighbours",
    "PairDistances",
    "TransportBatch",
    "TransportPlan",
    "documents_from_tokens",
    "documents_from_vectors",
    "emd",
    "emd_batch",
    "emd_plan",
    "nearest_documents",
    "rwmd",
    "sinkhorn",
    "wcd",
    "wmd",
    "wmd_pairs",
    "wrd",
    "wrd_lower_bound",
    "wrd_pairs",
]
