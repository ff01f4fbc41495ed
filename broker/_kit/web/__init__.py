"""A broker's login, funds and auto-login pages, and a small web app for use without OpenAlgo."""
