"""Everything that knows OpenAlgo."""
