"""The commands of `ussd-engine`, a file for each kind: of menus, of a handset, of a running engine."""

from __future__ import annotations

import argparse

Commands = argparse._SubParsersAction


class CommandFailed(Exception):
    """A command that cannot do what it was asked; the text is the one line that says why."""
