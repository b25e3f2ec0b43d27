"""Verbs of the command line run as processes of their own, which outlive whoever started them."""

from vitruve.jobs.job import Job as Job
from vitruve.jobs.progress import Progress as Progress
from vitruve.jobs.queue import Jobs as Jobs
