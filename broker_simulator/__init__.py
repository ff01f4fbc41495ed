"""Simulators of brokers, so that everything runs without an account."""
