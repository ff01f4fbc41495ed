"""The feed of ticks, once it is built."""
