"""Read by every IPython kernel of the course's environment (installed to etc/ipython)."""

c = get_config()  # noqa: F821
c.IPKernelApp.extensions = ["course_lib.kind_errors"]
