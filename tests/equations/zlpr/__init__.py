"""Checks of the equations of the chapter `zlpr`."""
