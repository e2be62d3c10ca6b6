"""Which column means what in the rows that the compiled vehicle model reads and writes. A row of zeros is a default."""

from __future__ import annotations

GRAVITY = 9.81  # m/s^2

# Columns of a state row: metres, radians, m/s, rad/s. SPEED points along YAW plus SLIP; LATERAL and SPIN are what the
# vehicle has beyond rolling without slip.
X, Y, YAW, SPEED, WHEEL, LATERAL, SPIN, YAW_RATE, SLIP = range(9)
STATE_SIZE = 9

# Columns of a control row: pedals 0..1, steering -1..1, flags 0 or 1, slopes as rise over run ahead and to the right.
# GEAR_LOSS is the share of the pull that the chosen gear costs (1: neutral), GEAR_TOP the speed in m/s at which it ends
# (0: automatic), LOST_GRIP the share of the tyres' grip that is missing.
THROTTLE, STEER, BRAKE, HAND, REVERSE, SLOPE, BANK, GEAR_LOSS, GEAR_TOP, LOST_GRIP = range(10)
CONTROL_SIZE = 10

# Columns of a parameter row: axles (m from the origin), wheel angle at full steer (rad), scale of the pull, top speed
# (m/s), scale of the brakes and of the hand brake, air drag over mass (1/m) and what of it the pull does not yet hold.
FRONT, REAR, GAIN, DRIVE, TOP, BRAKES, HAND_BRAKES, AIR, EXTRA_AIR = range(9)
PARAMETER_SIZE = 9
