"""People's word on pairs and single answers: what to ask first, blind, in a terminal or on a page of this machine."""
