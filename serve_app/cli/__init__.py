"""The command line: serve-app up, down, status, chat, doctor."""
