"""Everything that decides which point to try next: `base` is the interface, `registry` the way in."""
