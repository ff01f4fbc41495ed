"""mStock's commands beside those that any broker has."""
