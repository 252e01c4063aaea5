"""People's feedback files as such: look into one, bring it in as caif's own rows, mask what is personal in it."""
