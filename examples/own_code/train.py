"""What a job trains: a stand-in that takes no time."""


def train(x, k):
    return k - (x - 0.3) ** 2
