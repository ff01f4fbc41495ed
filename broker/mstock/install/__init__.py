"""Puts the plugin into an OpenAlgo, takes it out again, and sees whether it is still whole."""

from broker.mstock.install.doing import apply, repair
from broker.mstock.install.findings import Finding, findings
from broker.mstock.install.planning import Plan, plan
from broker.mstock.install.undoing import Undo, plan_undo, undo

__all__ = ["Finding", "Plan", "Undo", "apply", "findings", "plan", "plan_undo", "repair", "undo"]
