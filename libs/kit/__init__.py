"""Domain-free parts: clocks, errors, settings groups, logging, metrics, discovery and the service shell."""
