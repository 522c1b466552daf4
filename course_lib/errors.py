"""The one kind of error a student should ever meet."""


class CourseError(Exception):
    """One sentence: what happened, where, and what to do about it.

    IPython asks an exception for ``_render_traceback_`` before it prints one; answering with the
    sentence keeps forty lines of somebody else's library out of the notebook.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"CourseError: {self}"]
