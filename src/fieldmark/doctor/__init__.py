"""What a model is, what will be done with it and why, what looks wrong, and what to type next."""

from fieldmark.doctor.diagnosis import Candidate, Diagnosis, Fact, Finding, Method
from fieldmark.doctor.examine import examine
from fieldmark.doctor.page import as_data

__all__ = ["Candidate", "Diagnosis", "Fact", "Finding", "Method", "as_data", "examine"]
