"""mStock (Mirae Asset) for OpenAlgo: login, funds and logout over both of mStock's API types.

OpenAlgo imports this file at its start, unguarded: it must work with every other file missing.
"""

VERSION = "0.1.0"


def kit_problem() -> str:
    """What a trader reads when `broker/_kit` is missing or of another version; "" when it fits."""
    try:
        from broker import _kit

        found = str(_kit.VERSION)
    except Exception:  # missing, or a foreign file in its place
        found = ""
    if found == VERSION:
        return ""
    state = f"is of version {found}" if found else "is missing or incomplete"
    return (
        f"The mStock plugin {VERSION} in OpenAlgo cannot work: its second folder, broker/_kit, "
        f"{state}. Stop OpenAlgo and run `install` of the mStock release again, or copy both of "
        "its folders, broker/mstock and broker/_kit."
    )
