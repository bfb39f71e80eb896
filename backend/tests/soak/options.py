"""How much of everything there is in a run. The defaults are those of the figures that the project reports."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

REQUEST_BODY_SECONDS = 3.0
"""slow: how long servers wait for a request, instead of a minute; see `impatient_settings`."""


@dataclass(frozen=True)
class Options:
    """The figures of a run; each is an option of the command line, with dashes."""

    streams: int = 500
    """load: open streams"""
    rate: int = 200
    """load: unary calls a second"""
    seconds: float = 60.0
    """load: how long"""
    customers: int = 50
    """load: how many customers the calls and streams come from"""
    web_workers: int = 2
    """gunicorn's worker processes"""
    buyers: int = 8
    """restarts: customers who order at the same time"""
    clerks: int = 3
    """restarts: members of the staff who move orders on"""
    followers: int = 24
    """restarts: streams that follow orders"""
    pause: float = 0.2
    """restarts: seconds between what a buyer or a clerk does"""
    calm: float = 4.0
    """restarts: seconds between one disruption and the next"""
    rounds: int = 1
    """restarts: how often everything is disrupted"""
    readers: int = 20
    """slow: clients that do not read, or hardly write"""
    waves: int = 3
    """slow: how often they come anew"""
    hold: float = 10.0
    """slow: seconds for which they do not read"""


def parse(arguments: list[str], parts: list[str], description: str) -> tuple[Options, list[str]]:
    """Reads the command line. Gives the options and the parts to run, all of them if none is named."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(parts)} (all)")
    defaults = Options()
    for name, default in vars(defaults).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default, help=f"({default})")
    given = vars(parser.parse_args(arguments))
    chosen = given.pop("parts") or parts
    if unknown := set(chosen) - set(parts):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    return Options(**given), chosen
