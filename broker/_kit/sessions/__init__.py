"""Who is logged in, and how they get there."""
