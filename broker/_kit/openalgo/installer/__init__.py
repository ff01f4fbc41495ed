"""Puts a broker's plugin into an OpenAlgo, takes it out again, and sees whether it is whole."""
