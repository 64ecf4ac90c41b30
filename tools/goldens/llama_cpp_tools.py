"""llama.cpp as the independent maker and reader of GGUF: its converter, its quantiser, its inference.

Needs llama-cpp-python and a llama.cpp source tree for the converter; that package's source archive
holds the matching one under vendor/llama.cpp.
"""
import ctypes
import pathlib
import subprocess
import sys

import llama_cpp
import numpy as np

# Every published tokenizer is known to the converter by a hash; ours are told to it by name.
CONVERT = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
sys.path.insert(1, sys.argv[1] + '/gguf-py')
import conversion.base
conversion.base.TextModel.get_vocab_base_pre = lambda self, tokenizer: sys.argv_pre
sys.argv_pre = sys.argv[2]
sys.argv = ['convert_hf_to_gguf.py', *sys.argv[3:]]
runpy.run_path(sys.path[0] + '/convert_hf_to_gguf.py', run_name='__main__')
"""


def convert(llama_cpp_tree: str, folder: pathlib.Path, out: pathlib.Path, out_type: str,
            pre_tokenizer: str, *options: str) -> None:
    run = subprocess.run([sys.executable, "-c", CONVERT, llama_cpp_tree, pre_tokenizer, str(folder),
                          "--outfile", str(out), "--outtype", out_type, *options],
                         capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(f"converting {folder.name} failed:\n{run.stderr[-2000:]}")


def quantize(source: pathlib.Path, out: pathlib.Path, ftype: str) -> None:
    """`ftype` as in LLAMA_FTYPE_MOSTLY_*; names that end in _M or _S mix formats, others are pure.

    To "F32" it dequantises.
    """
    params = llama_cpp.llama_model_quantize_default_params()
    params.nthread = 1
    params.allow_requantize = ftype == "F32"
    names = (f"ALL_{ftype}", f"MOSTLY_{ftype}", f"MOSTLY_{ftype}_S")
    params.ftype = next(getattr(llama_cpp, "LLAMA_FTYPE_" + name) for name in names
                        if hasattr(llama_cpp, "LLAMA_FTYPE_" + name))
    params.pure = not ftype.endswith(("_M", "_S"))
    result = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(),
                                            ctypes.byref(params))
    if result != 0:
        raise RuntimeError(f"quantising to {out.name} failed: {result}")


class Inference:
    """Logits of every position, computed by llama.cpp with a float32 KV cache."""

    def __init__(self, path: pathlib.Path):
        self.llama = llama_cpp.Llama(str(path), n_ctx=256, n_batch=256, n_ubatch=256, n_threads=1,
                                     logits_all=True, verbose=False, type_k=0, type_v=0)

    def logits(self, ids: list[int]) -> np.ndarray:
        self.llama.reset()
        self.llama.eval(ids)
        return np.array(self.llama.scores[:len(ids)])
