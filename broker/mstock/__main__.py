"""`python -m broker.mstock`: hands over to the command line."""

from broker._kit.cli.main import main

main(prog_name="python -m broker.mstock")
