"""Quotes and history: which calls they take, and how mStock's limits are kept."""
