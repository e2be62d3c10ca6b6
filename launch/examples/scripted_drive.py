"""A drive scripted through the public API: the first five seconds of a route, in which the car is told to stop.

    python -m linkvla.launch.examples.scripted_drive

Leaves told_to_stop.mp4 in the current folder.
"""

from linkvla.launch.session import Session

if __name__ == "__main__":
    with Session(town="Maple") as session:
        drive = session.drive(route_id="5", traffic=10, seconds=5.0, film="told_to_stop.mp4")
        for tick in drive:
            if tick.tick == 50:
                drive.say("Stop now.", seconds=2.0)
            if tick.tick % 10 == 0:
                print(f"{tick.simulated_seconds:4.1f} s  {tick.speed:4.1f} m/s  {tick.instruction}")
        print(f"{drive.record.score_route:.0f} % of the route driven")
