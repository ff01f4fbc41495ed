"""The one door to the wire: requests out, answers back, within a deadline."""
