"""The doors that OpenAlgo opens; their names are the host's."""
