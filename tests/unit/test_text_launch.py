import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from launched_training import train


def test_two_processes_train_to_the_same_model_as_one(tmp_path):
    script, out = Path(__file__).with_name("launched_training.py"), tmp_path / "out.npz"
    # without GPUs, --multi_gpu starts the processes and ACCELERATE_USE_CPU keeps them on the processor
    launch = f"{sys.executable} -m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1"
    launch += f" --mixed_precision no --dynamo_backend no --main_process_port 0 {script} {out}"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run(launch.split(), capture_output=True, text=True, env=environment, timeout=600)
    assert run.returncode == 0, run.stderr[-2000:]
    found = np.load(out)
    assert found["processes"] == 2
    alone = train()
    np.testing.assert_allclose(found["probabilities"], alone, atol=1e-3)
    assert np.ptp(alone[:, 1]) > 0.5  # it has learned: equal guesses of one half would also be equal
