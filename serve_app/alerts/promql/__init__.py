"""The part of PromQL that alert rules are written in: text in, vectors of values out."""
