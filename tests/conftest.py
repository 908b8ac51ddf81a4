"Two test processes share two cores: threads of their own would only wait for each other, and add up in another order each time"
import os

os.environ["OMP_NUM_THREADS"] = "1"
