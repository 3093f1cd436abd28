"""Files that a user gives: certificates, keys, passwords, settings, lists and JSON.

`Origin` names a file in messages, `read` reads it, `formats` detects what it is, and the other
modules parse it. Nothing else in this project opens a file whose path a user gave.
"""
