"""Shortcut probes: can something cheap tell sound traces from flawed ones?"""
