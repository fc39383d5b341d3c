"""Checks of the equations of the chapter `logit-adjustment`."""
