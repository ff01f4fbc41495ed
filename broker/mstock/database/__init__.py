"""The instrument list, once it is built."""

from contextlib import suppress

# An update of OpenAlgo can leave this file alone among its own plugin's: it must import there.
with suppress(ImportError):
    from broker.mstock.without_kit import close_doors

    close_doors(__name__)
