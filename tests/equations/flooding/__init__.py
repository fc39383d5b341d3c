"""Checks of the displayed equations of the chapter `flooding`."""
