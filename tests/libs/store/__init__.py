"""Tests of libs.store on a real PostgreSQL."""
