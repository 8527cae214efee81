"""Weights for every architecture: the elastic encoder, its start, its teacher and its training.

Importing a module of this room loads torch; importing the room does not.
"""
