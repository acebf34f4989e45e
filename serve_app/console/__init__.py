"""The console's rooms: who is logged in, the page's files, and what the live view shows."""
