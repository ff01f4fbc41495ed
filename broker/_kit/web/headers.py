"""The headers of every page: nothing is cached, framed, guessed or loaded from elsewhere."""

from __future__ import annotations

from flask import Response

POLICY = "Content-Security-Policy"
HEADERS: dict[str, str] = {
    "Cache-Control": "no-store",
    POLICY: (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def harden(response: Response, *, has_policy: bool = True) -> Response:
    """Add what the view has not set itself; the style sheet keeps Flask's own caching.

    Without `has_policy` the Content-Security-Policy is left to the app.
    """
    for name, value in HEADERS.items():
        if has_policy or name != POLICY:
            response.headers.setdefault(name, value)
    return response
