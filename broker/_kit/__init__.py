"""What any broker plugin needs; knows no broker and is handed one."""

# A broker's folder works with the kit of its own version only. The installer writes this file
# after all the others, so that a half-copied kit has none.
VERSION = "0.1.0"
