"""Class-incremental learners from the literature, which PNC's sequences are compared with (Table 3)."""

from pnc.incremental._choose import Choice, choose
from pnc.incremental._course import Course, continued
from pnc.incremental._registry import LEARNERS, Learner, learner

__all__ = ["LEARNERS", "Choice", "Course", "Learner", "choose", "continued", "learner"]
