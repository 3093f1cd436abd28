"""Checks: what could keep a device from being provisioned, each as a finding.

Every check has a part that connects and a part that interprets; the latter is a pure function.
`network.endpoint` has the order of the checks of a network.
"""
