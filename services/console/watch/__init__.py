"""The live terminal screen: a model fed by topics and health endpoints, a renderer without I/O, and the loop between them."""
