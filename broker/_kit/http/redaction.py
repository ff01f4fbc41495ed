"""Makes a broker's words fit to show: one plain line, without any secret that was sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from broker._kit.secret import Secret

_MARKUP = r"<[^>]*>|<[/!?a-zA-Z].*"  # the second: a tag that is never closed
_ADDRESS = r"[A-Za-z][A-Za-z0-9+.-]*://\S*"
_ESCAPES = "%&+"  # without one of these, no secret is there in another form
_LONGEST_WORDS = 240
_LONGEST_READ = 1024


def plain(text: str, secrets: Iterable[Secret] = ()) -> str:
    """The text as one line without markup, addresses, control characters or these secrets."""
    sent = {secret.reveal() for secret in secrets if secret}
    if any(mark in text for mark in _ESCAPES):
        sent |= {form for secret in sent for form in _escaped(secret)}
    hidden = sorted(sent, key=len, reverse=True)
    # First, since a secret may look like markup; and then cut, since an answer may be very long.
    text = _masked(text, hidden)[:_LONGEST_READ]
    if not text.isprintable():
        text = "".join(char for char in text if char.isprintable() or char.isspace())
    text = re.sub(_MARKUP, " ", _masked(text, hidden))
    text = _masked(" ".join(re.sub(_ADDRESS, "…", text).split()), hidden)
    return text if len(text) <= _LONGEST_WORDS else text[:_LONGEST_WORDS] + "…"


def _escaped(secret: str) -> Iterator[str]:
    """A secret as it may come back in an address or a page."""
    yield from (quote(secret, safe=""), quote_plus(secret))
    for char, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        secret = secret.replace(char, name)
    yield secret


def _masked(text: str, hidden: Iterable[str]) -> str:
    for secret in hidden:
        text = text.replace(secret, "•••")
    return text
