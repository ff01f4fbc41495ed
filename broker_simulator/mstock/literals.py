"""mStock's sentences that both dialects speak, with mStock's own spelling (3.2, 3.3, 3.6)."""

from typing import Final

KEY_EXPIRED: Final = (
    "API is suspended/expired for use. Please check your API subscription and try again."
)
OTP_EXPIRED: Final = "Entered OTP has been expired. Please regenerate a new one & enter the same."
TOTP_WRONG: Final = "Please enter correct TOTP"
TOKEN_DEAD: Final = "Invalid request. Please try again."
VERSION_WRONG: Final = "Please provide valid api version."
IP_REFUSED: Final = "Primary and Secondary IP Address are not matching"
GENERAL: Final = "something went wrong"
NOT_FOUND: Final = "security id not found"
ORDER_GONE: Final = "Order Does not Exsist.Need to refresh orderbook / relogin in application "
ORDER_FINISHED: Final = "Order is Cancelled.Kindly refresh your OrderBook"
MARKET_CLOSED: Final = "System is not connected to NSE Equity market"
# Not mStock's: no source has a body for HTTP 429 (1.4).
TOO_MANY: Final = "Too many requests. Please try again."
