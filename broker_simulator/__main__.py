"""`python -m broker_simulator`: starts the simulator of mStock."""

from broker_simulator.mstock.__main__ import main

main(prog_name="python -m broker_simulator")
