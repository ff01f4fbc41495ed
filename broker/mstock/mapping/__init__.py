"""Pure translation between mStock's fields and the host's; no I/O."""

from broker.mstock.without_kit import close_doors

close_doors(__name__)
