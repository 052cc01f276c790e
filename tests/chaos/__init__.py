"""The whole stack under trouble for as long as one likes; the tests run short versions of it."""
