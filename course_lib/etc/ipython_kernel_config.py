"""Read by every IPython kernel of the course's environment (installed to etc/ipython)."""

c = get_config()  # noqa: F821  # type: ignore[name-defined]
c.IPKernelApp.extensions = ["course_lib.kind_errors"]
