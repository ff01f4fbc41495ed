"""Puts the plugin into an OpenAlgo, takes it out again, and sees whether it is still whole."""

from broker._kit.openalgo.installer.apply import apply, repair
from broker._kit.openalgo.installer.checks import Finding, findings
from broker._kit.openalgo.installer.plan import Plan, plan
from broker._kit.openalgo.installer.uninstall import Undo, plan_undo, undo

__all__ = ["Finding", "Plan", "Undo", "apply", "findings", "plan", "plan_undo", "repair", "undo"]
