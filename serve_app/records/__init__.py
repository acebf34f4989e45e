"""The usage store: a row for each request and each charge, written off the request path."""
