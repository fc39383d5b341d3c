"""Tests of files that have to be downloaded."""

import pytest

from scispaces.datasets import available


def needs(prefix: str) -> pytest.MarkDecorator:
    """Skip a test where its files cannot be had: without a network there is nothing to look at."""
    return pytest.mark.skipif(not available(prefix), reason=f"{prefix} cannot be had here")
