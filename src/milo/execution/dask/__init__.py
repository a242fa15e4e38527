"""Dask as an executor: threads of a cluster's workers, held for a run and handed its attempts."""
