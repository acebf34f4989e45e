"""The workshops: where answers are made, and how a plan is carried out."""
