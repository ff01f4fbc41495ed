"""The rules that no source states: the simulator needs them, so they are its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

PASSWORD_ATTEMPTS: Final = 10
OTP_LIFE: Final = timedelta(minutes=5)
OTP_TRIES: Final = 3
TOTP_DRIFT_STEPS: Final = 1
INSTRUMENTS: Final = 5000

ORDER_RULES: Final = (
    "An order outside market hours that is no after-market order is refused like one for an "
    "exchange that is not connected; Type B says it with MA500. The demo, and the simulator alone "
    "without --market-hours, take orders at any hour. An after-market order goes to the "
    "exchange when the market opens next.",
    "Margin: MTF and MARGIN 50 % on shares, futures and written options 12 % span and 3 % "
    "exposure of the contract's value (for options: of the strike), bought options their premium. "
    "What closes a position, and a sale of delivered shares, needs none. Losses block nothing.",
    "A delivery sale without the shares is rejected by the risk desk in words of the simulator's.",
    "Limit and trigger prices outside the bands get EXCH:16284, a market order at the band "
    "EXCH:16308. Wrong lot, tick, freeze quantity, disclosed quantity or product is refused before "
    "an order id is given (Type A: InputException, Type B: IA400).",
    "After its trigger a stop order stays Triggered, as a LIMIT or MARKET order, until it trades.",
    "Orders trade against five levels of depth at their own price or better; what a market order "
    "wants beyond them trades at the last level. Depth is new at every change of price.",
    "A modified quantity is the whole order's. A modification that the risk desk or the bands do "
    "not allow is refused and leaves the order alone.",
    "A cover order's exit is placed when its entry is done; cancelling the exit trades it at the "
    "market. Bracket orders are refused.",
    "Unfilled orders end with the day as Cancelled. Overnight, delivery goes into the holdings, "
    "intraday positions vanish, the rest is carried over at what it cost.",
    "Books are newest first and name the cash exchange for derivatives on both types. Order ids "
    "have the 14 digits seen live. A refused conversion names the missing units first.",
)

STREAM_RULES: Final = (
    "A refused token or key is HTTP 401 on the WebSocket's upgrade, a refused address 403. A token "
    "that dies ends its sockets: an error text, then close code 1008.",
    "LOGIN is answered with a JSON object. A LOGIN with another token than the address has is an "
    "error and the end; requests before LOGIN, and such as cannot be read, are errors only.",
    "A subscription sends what is known at once, then every change of the last price. An unknown "
    "token, or one on the wrong exchange, gets no data and no error. A mode for a Type A token "
    "subscribes it. Type A's bare numbers are looked for on NSE, NFO, BSE and BFO, in that order.",
    "Sequence numbers count the packets of a connection. A heartbeat is one byte, after five quiet "
    "seconds. A reader that falls behind by a megabyte is reset. Two sockets may share a token; a "
    "third ends the oldest with close code 1008.",
    "Live prices are told for the 4,096 instruments that were asked for last. The 52-week range "
    "is that of the closing prices. Change of open interest is since the session's first second.",
)

# Shown on the control page as they stand here. What mStock really does in these cases is unknown.
OWN_RULES: Final = (
    f"An OTP, and the login it belongs to, lives {OTP_LIFE.seconds // 60} minutes.",
    f"After {OTP_TRIES} wrong codes (OTP or TOTP) the login is void and must be started again.",
    "One login is outstanding per account, whatever the API type: a newer one makes the older "
    "OTP and ticket void, and it is finished in the type in which it began.",
    f"The counter of wrong passwords starts at {PASSWORD_ATTEMPTS} and a right password sets it "
    "back. At 0 the account is locked: even the right password is then answered like a wrong "
    "one with none remaining, until it is unlocked on this page.",
    'An unknown client code is always told "9 attempts remaining".',
    f"A TOTP may be {TOTP_DRIFT_STEPS} step of 30 seconds early or late. A successful second step "
    "uses it up for both types; at connect/login it is only checked.",
    'With TOTP on, Type B\'s login message is "SUCCESS", since no OTP went anywhere. A login with '
    "totp filled returns its short token as the ticket; if TOTP is off, a filled totp is "
    "ignored and an OTP is sent.",
    "A TOTP needs a login before it; a ticket that is unknown, void or another account's is "
    "answered like a wrong code.",
    "An OTP offered for an account with TOTP is answered as expired; a TOTP for an account "
    "without it, as wrong.",
    "A key of the other type, or no key at all, is answered like an expired key.",
    "A token that belongs to another type or to another key's owner is answered like a dead one.",
    "A dead token on Type B's fund summary is HTTP 401 with the bool-false body of logout.",
    "An IP refusal comes before the password is looked at, and on every later call; on Type A "
    "it is an APIKeyException, HTTP 403.",
    "The version error of order/details is used on all of Type B's routes.",
    "A missing or empty field is answered with the framework's validation body, except the two "
    "fields of Type B's login, for which the text is known.",
    "Type A's older OTP refusal names MiraeException.",
    "Type A's login flags are strings in the older revision (as printed) and bare booleans in "
    "the newer one (as seen live).",
    "Type A's token says APITYPE KITE (only Type B's value is known); the last letters of a long "
    "token are filler, there to give it the length of a live one.",
    *ORDER_RULES,
    *STREAM_RULES,
    "HTTP 429 bodies are the simulator's own. The documents' limits on order, historical, intraday "
    "and quote calls are kept in the strict profile, counted for each API key over the last "
    "second, minute and hour of real time; a refused call does not count.",
    f"The market has the {INSTRUMENTS} instruments of the day on which it was first asked for, "
    "unless told otherwise; they do not change with the days that follow. Prices come from a seed: "
    "the same for the same instrument and time. Contracts follow their underlying. A price that "
    "was moved by hand walks on from there; out of hours it becomes the last session's last price.",
    "NSE's contracts expire on Tuesdays and BSE's on Thursdays (before September 2025 the other "
    "way round), on a holiday the trading day before. All segments trade from 09:15 to 15:30.",
    "Holidays of 2027 are what is expected; years before 2025 have only those of a fixed date.",
    "Historical candles end yesterday, and are the first 1,000 of the range. A bare date is its "
    "midnight. A daily candle counts when its session touches the range; its stamp is midnight.",
    "Prices and candles are given for NSE, BSE, NFO and BFO, today's candles for currencies too. "
    'An unknown instrument is "security id not found", on Type A an InputException, HTTP 200; in '
    "Type B's quotes it is told under `unfetched` with IA400, in Type A's it is null.",
    "Type A's symbols are matched letter by letter, with their series or without; indices as the "
    "documents' table of tokens writes them. Its older revision writes bare symbols in the file "
    "of instruments and keys a quote as it was asked for, the newer one adds the series.",
    "Type A's file has no indices; Type B's has BSE's, with the instrument type INDEX. A currency "
    "future's strike is -0.01 in Type B's. Currencies are CDS and BCD in Type A's.",
    "Gainers and losers are of the listed shares of the exchange, ten at most.",
    "An option chain's `instn` is 4 for every underlying. An expiry that is no key of the "
    "directory's, a Unix time for one, is not found.",
    "FULL quotes are OHLC quotes; a mode, interval or date that cannot be read gets the "
    "framework's validation body. Health asks for no header.",
    "Wrong method: HTTP 405, and an unknown path: HTTP 404, both with an empty body.",
    "What only the strict profile minds (a stray header, a cookie, a query, an unknown field, a "
    "wrong content type) is refused with a body that says so: mStock itself lets some of it pass.",
)
