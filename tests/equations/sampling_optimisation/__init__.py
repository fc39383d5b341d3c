"""Checks of the equations of the chapter `sampling-optimisation`."""
