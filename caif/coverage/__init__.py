"""Does the reward model's data cover what RL asks and writes? Measures on features of a frozen trunk, and a gate.

A reward model is worth something where it was trained; RL moves the policy to wherever the reward is high, known or not.
"""
