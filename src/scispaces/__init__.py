"""Scientific Spaces, Verified: losses, optimisers and transport distances, with their evidence.

The library rooms are `scispaces.losses` and `scispaces.datasets`; `scispaces.studies` holds the
book's experiments, `scispaces.evidence` its numbers, `scispaces.book` its pages.
"""
