"""The command line `perpstream`: runs, watches and asks the stack; a shell over `infra.local` and the libraries."""
