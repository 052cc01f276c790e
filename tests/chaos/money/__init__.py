"""Money under trouble: executor and guard as real code against the exchange simulator, in one process, on a virtual clock."""
