"Two test processes share two cores: threads of their own would only wait for each other, and add up in another order each time"
import os, signal

os.environ["OMP_NUM_THREADS"] = "1"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN: signal.signal(signal.SIGINT, signal.default_int_handler)   # tests that run in the background hear Ctrl-C, too
