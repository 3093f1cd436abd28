"""Files that a person gives: certificates, keys, passwords, settings, lists and JSON.

`Origin` names a file in messages, `read` reads it, `formats` tells what it is, and the other
modules parse it. Nothing else in this project opens a file whose path a person gave.
"""
