"""What the user takes away: post-training, the measured promise, and the export.

Importing a module of this room may load torch; importing the room does not.
"""
