"""The whole way in about ten calls: what ``bigfast run`` does, and its stages for the single commands.

Importing a module of this room loads torch; importing the room does not.
"""
