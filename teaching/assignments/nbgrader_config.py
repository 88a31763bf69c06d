"""How nbgrader releases and grades the assignments; run it in this folder."""

c = get_config()  # noqa: F821  # nbgrader defines it

c.CourseDirectory.course_id = "gahr"
c.ExecutePreprocessor.timeout = 120  # seconds for one cell
