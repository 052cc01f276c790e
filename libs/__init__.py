"""Everything that services share; imports point only downwards (see docs/ARCHITECTURE.md)."""
