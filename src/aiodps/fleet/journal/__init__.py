"""fleet/journal"""
