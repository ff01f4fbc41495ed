"""Speaks mStock on the wire: transport, envelope, and the two dialects."""
