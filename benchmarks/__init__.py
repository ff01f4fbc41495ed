"""Measures the plugin against the plain libraries, in ratios within one run."""
