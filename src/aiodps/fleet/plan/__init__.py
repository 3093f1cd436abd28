"""fleet/plan"""
