"""Labels of traces: from the templates, or from judges."""

from tracelift_groups.rubric.template import flawed_rubric, position_of, sound_rubric

__all__ = ["flawed_rubric", "position_of", "sound_rubric"]
