"""For another process that must not find this clone, to which an editable install leads."""

from __future__ import annotations

from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])

# To be run before anything else there. Names are those of setuptools' editable installs.
FORGET_THE_CLONE = f"""
import sys
def _leads_here(finder):
    return str(getattr(finder, "__module__", "")).startswith("__editable__")
sys.meta_path[:] = [each for each in sys.meta_path if not _leads_here(each)]
sys.path_hooks[:] = [each for each in sys.path_hooks if not _leads_here(each)]
sys.path[:] = [each for each in sys.path if each != {ROOT!r} and "__editable__" not in each]
"""
