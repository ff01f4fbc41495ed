"""mStock (Mirae Asset) for OpenAlgo: login, funds and logout over both of the broker's dialects."""

VERSION = "0.1.0"
