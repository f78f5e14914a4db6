"""The line of those who wait, in Valkey: everybody has one place in it, and one request at it.

Whoever asks again keeps the place and exchanges the request, so nobody comes sooner by asking more often: a
worker takes the request of who has waited longest. Each step is one script, which Valkey runs as a whole.
"""

from dataclasses import dataclass

from registry.core.errors import UnavailableError
from registry.core.valkey import PREFIX, valkey
from registry.playground.wishes import Job

P = f"{PREFIX}play:"
LINE = f"{P}line"
KEPT_SECONDS = 600
# A worker that is silent for so long has died.
PULSE_SECONDS = 8
# Nobody has come to watch, or has come back, for so long: the text is for nobody.
COMING_SECONDS, GONE_SECONDS, WATCHED_SECONDS = 30, 1, 4
MAX_WAITING = 500

_ENTER = """
local place, id, job = ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('LPOS', KEYS[1], place)
if not held and redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[6]) then return {-1, ''} end
local waiting = redis.call('GETSET', ARGV[7] .. 'next:' .. place, id)
redis.call('EXPIRE', ARGV[7] .. 'next:' .. place, ARGV[4])
redis.call('SET', ARGV[7] .. 'job:' .. id, job, 'EX', ARGV[4])
redis.call('SET', ARGV[7] .. 'watched:' .. id, 1, 'EX', ARGV[5])
if not held then held = redis.call('RPUSH', KEYS[1], place) - 1 end
local running = redis.call('GET', ARGV[7] .. 'on:' .. place)
if running then redis.call('SET', ARGV[7] .. 'stop:' .. running, 'superseded', 'EX', ARGV[4]) end
return {held + 1, waiting or ''}
"""
_TAKE = """
while true do
  local place = redis.call('LPOP', KEYS[1])
  if not place then return false end
  local id = redis.call('GETDEL', ARGV[1] .. 'next:' .. place)
  local job = id and redis.call('GET', ARGV[1] .. 'job:' .. id)
  if job and redis.call('EXISTS', ARGV[1] .. 'watched:' .. id) == 1 then
    redis.call('SET', ARGV[1] .. 'on:' .. place, id, 'EX', ARGV[2])
    redis.call('SET', ARGV[1] .. 'taken:' .. id, 1, 'EX', ARGV[3])
    redis.call('SET', ARGV[1] .. 'pulse:' .. id, 1, 'EX', ARGV[2])
    return job
  end
end
"""
_LEAVE = """
for _, name in ipairs({'on:', 'next:'}) do
  local key = ARGV[1] .. name .. ARGV[2]
  if redis.call('GET', key) == ARGV[3] then
    redis.call('DEL', key)
    if name == 'next:' then redis.call('LREM', KEYS[1], 1, ARGV[2]) end
  end
end
return 1
"""


@dataclass(frozen=True, slots=True)
class Entered:
    """Where somebody stands now, from 1, and the request of theirs that this one took the place of."""

    position: int
    superseded: str = ""


def line_enter(job: Job) -> Entered:
    """Wait with a request, in the place of one that waited or is being written.

    Raises:
        UnavailableError: so many wait that one more would never come to its turn.
    """
    arguments = (job.caller, job.id, job.to_json(), KEPT_SECONDS, COMING_SECONDS, MAX_WAITING, P)
    position, waiting = valkey().eval(_ENTER, 1, LINE, *arguments)
    if position < 0:
        raise UnavailableError(
            f"{MAX_WAITING} others wait for the mixer already; try again in a minute", code="playground.full"
        )
    return Entered(position, waiting.decode())


def line_take() -> Job | None:
    """The request whose turn it is; what nobody watches any more is passed over."""
    found = valkey().eval(_TAKE, 1, LINE, P, PULSE_SECONDS, KEPT_SECONDS)
    return None if found is None else Job.from_json(found)


def line_leave(job: Job) -> None:
    """A request is over; a newer one of the same caller stays."""
    valkey().eval(_LEAVE, 1, LINE, P, job.caller, job.id)


def line_position(place: str) -> int:
    """Where somebody stands, from 1; 0 for not in the line."""
    found = valkey().lpos(LINE, place)
    return 0 if found is None else int(found) + 1


def job_of(job_id: str) -> Job | None:
    """A request that is not forgotten yet."""
    found = valkey().get(f"{P}job:{job_id}")
    return None if found is None else Job.from_json(found)


def pulse(job: Job) -> None:
    """The worker lives, and is at it."""
    with valkey().pipeline(transaction=False) as pipe:
        pipe.set(f"{P}pulse:{job.id}", 1, ex=PULSE_SECONDS)
        pipe.expire(f"{P}on:{job.caller}", PULSE_SECONDS)
        pipe.execute()


def is_lost(job_id: str) -> bool:
    """Whether a worker took a request and has not been heard of since."""
    taken, alive = valkey().mget(f"{P}taken:{job_id}", f"{P}pulse:{job_id}")
    return taken is not None and alive is None


def watched(job_id: str, *, seconds: int = WATCHED_SECONDS) -> None:
    """Somebody waits for the text, or did until now."""
    valkey().set(f"{P}watched:{job_id}", 1, ex=seconds)


def stop(job_id: str, why: str) -> None:
    """Have the worker stop at the next token."""
    valkey().set(f"{P}stop:{job_id}", why, ex=KEPT_SECONDS)
