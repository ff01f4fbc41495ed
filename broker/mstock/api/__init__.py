"""The doors that OpenAlgo opens; their names are the host's."""

from broker.mstock.without_kit import close_doors

close_doors(__name__)
