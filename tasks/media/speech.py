"""A voice for the demonstration video and for tests: espeak-ng, from the wheel that carries it."""

import ctypes
from functools import cache

import espeakng_loader
import numpy as np
import numpy.typing as npt

#: Samples per second of what `speak` returns.
RATE = 22_050

_RETRIEVAL, _UTF8, _RATE_PARAMETER, _WORDS_A_MINUTE = 1, 1, 1, 150
_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
    if rate != RATE or library.espeak_SetVoiceByName(b"en-us"):
        raise RuntimeError("espeak-ng could not be started")
    library.espeak_SetParameter(_RATE_PARAMETER, _WORDS_A_MINUTE, 0)
    return library


def speak(text: str) -> npt.NDArray[np.int16]:
    """English `text` spoken: mono samples at RATE. One caller at a time: the library has one voice."""
    blocks: list[npt.NDArray[np.int16]] = []

    def take(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int) -> int:
        if count:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).astype(np.int16))
        return 0

    library, callback, data = _library(), _SynthCallback(take), text.encode()
    library.espeak_SetSynthCallback(callback)
    library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    return np.concatenate(blocks)
