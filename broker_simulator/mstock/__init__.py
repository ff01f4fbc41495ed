"""mStock in a box: the user endpoints of both API types on loopback, for tests and demos."""

from .accounts import Account, many_accounts
from .box import Simulator
from .clock import IST

__all__ = ["IST", "Account", "Simulator", "many_accounts"]
