"""Mistakes of a user, each of which a type checker must find; never run."""

from __future__ import annotations

import fpmatch as fp

misspelt = fp.Engin
fp.Engine.create(12)
fp.compare("a", "b")
fp.SearchRequest(fingers=[], booking_ori="CA0380100", oops=1)
