"""Holds what an app says of itself before it is measured."""

from mobile_sdk.document import Document


class AppState(Document):
    """Describes an app and its place on the phone. A value that the system does not tell is None, never a guess."""

    debuggable: bool | None
    screen_on: bool | None
    locked: bool | None
    in_front: bool | None  # the app's is the screen in front, even if that lies over the lock
    power_save: bool | None
    cpuset: str | None  # the cores that Linux gives its process: /top-app, /foreground, /background

    @property
    def advice(self) -> str | None:
        """Returns why its times support no verdict, and what to do; None if they may."""
        if self.debuggable:
            return "the app is a debuggable build, which calls its runtimes more slowly: ./gradlew installBenchmark"
        if self.power_save:
            return "the phone saves power: turn battery saver off, and measure again"
        return None
