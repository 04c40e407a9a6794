"""`python -m tests.chaos --count 200 --seed 1`: plays schedules on every core, prints JSON."""
