"""Checks of the equations of the chapter `weight-scale-shift`."""
