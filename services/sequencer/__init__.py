"""The sequencer: one owner per partition turns many topics into the one ordered log that everything decides from."""
