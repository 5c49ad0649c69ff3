"""The protocol, without input or output: events go in, actions come out."""
