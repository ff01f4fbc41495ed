"""Pure translation between mStock's fields and the host's; no I/O."""
