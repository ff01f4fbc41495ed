"""A copy of somebody's OpenAlgo, run against the simulator; the checkout itself is only read."""
