"""Checks of the register of discrepancies, one module per chapter."""
