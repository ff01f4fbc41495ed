"""The command line: `python -m broker.mstock …`."""
