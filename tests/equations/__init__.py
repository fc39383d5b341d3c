"""Checks of the displayed equations, one package per chapter."""
