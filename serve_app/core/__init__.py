"""The words every room speaks. Imports nothing else of ours."""
