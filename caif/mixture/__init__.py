"""What `combine` is made of: rows as columns, and small functions that say of every row whether it stays and what it weighs."""
