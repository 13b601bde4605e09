"""Trainings that are killed, and whether they end as if they had not been."""
