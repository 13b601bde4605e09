"""What people would pick instead, on the same tasks."""
