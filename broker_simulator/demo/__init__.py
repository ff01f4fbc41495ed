"""Starts the simulator and the web app together: mStock to try out, without an account."""
