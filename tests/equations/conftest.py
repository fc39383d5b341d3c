"""The mutation harness reports how many wrong formulas the checks refused."""

from collections import Counter


def pytest_terminal_summary(terminalreporter):
    totals: Counter[str] = Counter()
    formulas = 0
    for report in terminalreporter.getreports("passed"):
        properties = dict(report.user_properties)
        if report.when == "call" and "mutants killed" in properties:
            formulas += 1
            totals.update(properties)
    if formulas:
        terminalreporter.write_line(
            f"{totals['mutants killed']} mutants of {formulas} formulas fail a check; "
            f"{totals['mutants equivalent']} compute the same and are listed with the reason."
        )
