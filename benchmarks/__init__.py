"""This gateway and its peers on one machine, behind one upstream, under one load generator."""
