"""The dispatcher: which model on which backend should answer, and why."""
