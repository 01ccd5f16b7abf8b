"""How the number of users moves during a run."""

from locust import LoadTestShape


class Staircase(LoadTestShape):
    """Twice as many users every step. The capacity lies below the step that slows the answers."""

    first = 8
    steps = 6
    step_s = 30

    def tick(self) -> tuple[int, float] | None:
        step = int(self.get_run_time() // self.step_s)  # type: ignore[no-untyped-call]
        if step >= self.steps:
            return None
        users = self.first * 2**step
        return users, float(users)
