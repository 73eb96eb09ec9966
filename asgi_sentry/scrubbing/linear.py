"""tmp"""


def check_linear(p):
    return None
