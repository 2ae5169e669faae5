"""A heat map of a section of datapoints, as one would write it by hand. Usage: heat_map.py DATA PNG"""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

data, png = sys.argv[1:]
x, y = np.loadtxt(data, delimiter=",", usecols=(0, 1), skiprows=1, unpack=True, comments=None)
counts, xs, ys = np.histogram2d(x, y, bins=(100, 50), range=((x.min(), x.max()), (0, np.percentile(y, 99))))
plt.figure(figsize=(12, 7))
plt.pcolormesh(xs, ys, counts.T, cmap="Reds")
plt.colorbar(label="I/Os")
plt.xlabel("time (s)")
plt.ylabel("latency (ms)")
plt.savefig(png)
