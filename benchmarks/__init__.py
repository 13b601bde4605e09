"""What produces the figures of this project."""
