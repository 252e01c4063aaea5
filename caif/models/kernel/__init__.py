"""How a local model computes: prompts packed into a trie, scored in one pass, answered row by row out of one cache."""
