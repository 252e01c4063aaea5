"""Sweeps: one run file with several weights and seeds, what they trade against each other, and how sure that is."""
