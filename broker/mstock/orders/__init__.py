"""Orders placed exactly once: the journal, the limits, and what became of a lost answer."""
