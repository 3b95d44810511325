"""Moments of a run as a person writes them: seconds, M:SS or H:MM:SS."""

from __future__ import annotations

import argparse
import re


def moment(text: str) -> float:
    """Seconds of an option's value; argparse's error where it is no moment."""
    match = re.fullmatch(r"(?:(?:(\d{1,4}):)?(\d{1,2}):)?(\d{1,9}(?:\.\d{1,9})?)", text)
    if match is None:
        raise argparse.ArgumentTypeError("must be seconds, M:SS or H:MM:SS")
    hours, minutes, seconds = match.groups("0")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def moment_text(seconds: float) -> str:
    """A length as M:SS or H:MM:SS."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
