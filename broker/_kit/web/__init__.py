"""The login page at /mstock/callback, and a small web app around it for use without OpenAlgo."""
