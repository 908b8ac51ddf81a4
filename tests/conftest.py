"Two test processes share two cores: threads of their own would only wait for each other"
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
