"""The list of instruments, once it is built."""
