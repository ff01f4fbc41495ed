"""OpenAlgo's orders into mStock's: not built yet; the host imports this name to warm up."""
