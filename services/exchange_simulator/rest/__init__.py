"""The REST half: parameters, limits, error bodies and one module per group of endpoints."""
