"""Clocks run twenty to two hundred times as fast here: on a loop whose time stands still with the process."""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping

from tests.support.patient_time import PatientLoop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], AbstractEventLoop]]:
    return {"patient": PatientLoop}
