"""fleet/run"""
