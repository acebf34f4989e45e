"""How providers want to be asked, and how they answer: canonical requests in, chunks out."""
