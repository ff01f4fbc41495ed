"""What a user is told before auto-login is switched on."""

from __future__ import annotations

TERMS: tuple[str, ...] = (
    "Auto-login keeps your mStock password and your TOTP secret on this computer, encrypted. Both "
    "factors of your login are then in one place: whoever can use this computer as you, and reads "
    "the key too, can log in to your account. Switch it on only on a computer that is yours alone, "
    "and switch it off before you give the computer away.",
    "The TOTP secret is the text behind the QR code that mStock showed when you set up the "
    "authenticator. It is kept here as well as in your phone. It never leaves this computer: only "
    "the six digits made from it go to mStock.",
    "Each trading day at 08:35 IST this program logs in as you, without asking. mStock counts "
    "wrong passwords and locks the account after too many: a refused password or code is never "
    "sent again by itself. You are told, and auto-login stays off until you have looked.",
    "Your contract with mStock holds for these logins as for your own. Read its terms for the "
    "trading API, and ask mStock if you are not sure that logins without you are allowed for your "
    "account. You answer for what is done with it.",
    "SEBI and the exchanges have rules for trading by API: among them a static internet address "
    "that you have registered with the broker, a two-factor login, and a session "
    "that ends with the day. Auto-login stays within a day's session, but whether you may use it, "
    "and what you must register, is for you to find out.",
    "mStock takes logins only from the addresses registered with it (trade.mstock.com, Products, "
    "Trading APIs). If your connection's address changes, the login is refused and you are told.",
)
