"""What the project claims of its reliability, as commands that anyone can run."""
