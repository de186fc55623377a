"""The real scheduler and real agents in a simulated world: virtual time, faults drawn from a seed, a disk that forgets."""
