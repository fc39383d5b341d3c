"""Checks of the displayed equations of the chapter `imbalance-revisited`."""
