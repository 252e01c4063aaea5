"""What the tests of the core share beside `fakes` and `stub`: no time limits, since a busy machine is no bug."""

from hypothesis import settings

settings.register_profile("caif", deadline=None)
settings.load_profile("caif")
