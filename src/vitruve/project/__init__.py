"""Projects: a training set of several cameras, its settings, and all networks and predictions made with them."""

from vitruve.project.folder import Project as Project
from vitruve.project.folder import Stage as Stage
