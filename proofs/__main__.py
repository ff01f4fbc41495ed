"""`python -m proofs NAME`: runs one proof and prints its table; ends with 1 if it does not hold."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from proofs import Broken, Rows

_NAMES = {
    "history": "2,000 days and 100 days of minutes, row for row as the simulated market's.",
    "instruments": "50 kills while the instruments are downloaded: the old ones stand or the new.",
    "kills": "200 kills of a program while it writes in the store: nothing is lost.",
    "accounts": "1,000 accounts, two programs on one database, one of them killed in the middle.",
    "orders": "10,000 orders while answers are lost: none placed twice, lost or called failed.",
    "soak": "An hour of live prices with a fault every few seconds: nothing lost, nothing grows.",
    "ticks": "Ten million ticks from the socket to the send: memory stays as it is.",
    "stream": "200 faults of the WebSocket: after each, all subscribed prices flow again.",
    "month": "A simulated month: every trading day ends logged in before the market opens.",
}


def markdown(rows: Rows) -> str:
    """The table as it goes into docs/reliability.md."""
    columns = list(rows[0])
    lines = [
        columns,
        ["---"] * len(columns),
        *([str(row[name]) for name in columns] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _table(rows: Rows) -> Table:
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    return table


def _command(name: str, words: str) -> click.Command:
    @click.command(name, help=words)
    @click.option("--short", is_flag=True, help="A few seconds instead of minutes.")
    @click.option("--markdown", "as_markdown", is_flag=True, help="Print the table as Markdown.")
    @click.option(
        "--seed", type=int, help="Repeat a run's random choices by the number it printed."
    )
    def run(short: bool, as_markdown: bool, seed: int | None) -> None:
        proof = importlib.import_module(f"proofs.{name}")
        more: dict[str, Any] = {} if seed is None else {"seed": seed}
        # What is said on the way stays out of a table that goes into a file.
        try:
            rows = proof.run(Console(stderr=True), short, **more)
        except Broken as broken:
            click.echo(f"The proof does not hold: {broken}", err=True)
            sys.exit(1)
        if as_markdown:
            click.echo(markdown(rows))
        else:
            Console().print(_table(rows))

    return run


@click.group(help="What the project claims of its reliability, to be run by anyone.")
def main() -> None:
    """Holds the proofs that are there."""


for _name, _words in _NAMES.items():
    if importlib.util.find_spec(f"proofs.{_name}"):
        main.add_command(_command(_name, _words))

if __name__ == "__main__":
    main(prog_name="python -m proofs")
