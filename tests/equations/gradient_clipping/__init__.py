"""Checks of the equations of the chapter `gradient-clipping`."""
