"""The list of instruments, once it is built."""

from broker.mstock.without_kit import close_doors

close_doors(__name__)
