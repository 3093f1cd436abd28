"""fleet/measure"""
