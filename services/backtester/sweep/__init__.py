"""Many configurations over one range: what the factors said is kept once, then each configuration is scored and traded."""
