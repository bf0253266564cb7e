using Weir.Gateway.Calls;

namespace Weir.Gateway.Admission;

/// <summary>
/// Calls that wait for admission, in one lane for each organization. Lanes take turns, and none holds more of a batch than its share: one
/// with more waiting, or whose calls made a batch fail, has batches of its own, one at a time, so that others wait for none of its work.
/// Not thread-safe.
/// </summary>
internal sealed class AdmissionLanes(int maxBatch, TimeProvider time)
{
    /// <summary>One organization's request bytes in a batch.</summary>
    public const int ShareBytes = 256 * 1024;

    /// <summary>For so long an organization has batches of its own after one of these failed.</summary>
    private static readonly TimeSpan AloneFor = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, Lane> _lanes = new(StringComparer.Ordinal);
    private readonly List<Lane> _turns = [];
    private Lane? _alone;
    private int _held;

    /// <summary>One organization's calls in a batch.</summary>
    public int Share => Math.Max(1, maxBatch / 4);

    /// <summary>Calls that wait and are not being decided.</summary>
    public int Count { get; private set; }

    /// <summary>Whether a batch of one organization's own is being decided, so that others should not wait for its end.</summary>
    public bool IsOneHeld => _held > 0;

    public void Enqueue(WaitingCall call)
    {
        var name = call.Call.Fairness;
        if (!_lanes.TryGetValue(name, out var lane))
        {
            _lanes[name] = lane = new Lane(name);
        }

        if (lane.Count == 0)
        {
            _turns.Add(lane);
        }

        (call.IsSuspect ? lane.Suspects : lane.Calls).Enqueue(call);
        lane.Bytes += call.Call.RequestBytes;
        Count++;
    }

    /// <summary>The next batch; empty when nothing waits that may be decided now.</summary>
    public AdmissionBatch Take()
    {
        var batch = new AdmissionBatch();
        for (var turn = 0; turn < _turns.Count && batch.Calls.Count < maxBatch;)
        {
            var lane = _turns[turn];
            if (DropGivenUp(lane))
            {
                continue;
            }

            if (!MayTake(lane, batch))
            {
                turn++;
                continue;
            }

            if (IsAlone(lane) || IsCrowded(lane))
            {
                TakeOwn(lane, batch);
                break;
            }

            Move(lane, batch, maxBatch);
        }

        return batch;
    }

    /// <summary>Everything that waits.</summary>
    public List<WaitingCall> Clear()
    {
        var all = _turns.SelectMany(l => l.Suspects.Concat(l.Calls)).ToList();
        _turns.Clear();
        _lanes.Clear();
        Count = 0;
        return all;
    }

    /// <summary>The calls of a batch are decided, or wait again.</summary>
    public void End(AdmissionBatch batch)
    {
        _held -= batch.IsHeld ? 1 : 0;
        foreach (var (lane, calls) in batch.Lanes)
        {
            lane.InFlight -= calls;
            if (lane.InFlight == 0 && ReferenceEquals(_alone, lane))
            {
                _alone = null;
            }

            if (lane.InFlight == 0 && lane.Count == 0 && !IsAlone(lane))
            {
                _lanes.Remove(lane.Name);
            }
        }
    }

    /// <summary>A batch of only this organization's calls failed: it is decided alone for a while.</summary>
    public void Failed(string fairness)
    {
        if (_lanes.TryGetValue(fairness, out var lane))
        {
            lane.Failures++;
            lane.FailedAt = time.GetTimestamp();
        }
    }

    public int FailuresOf(string fairness) => _lanes.TryGetValue(fairness, out var lane) ? lane.Failures : 0;

    /// <summary>Whether nobody waits in this lane any more.</summary>
    private bool DropGivenUp(Lane lane)
    {
        while (lane.Count > 0 && lane.First.IsGivenUp)
        {
            Dequeue(lane);
        }

        return lane.Count == 0 && _turns.Remove(lane);
    }

    private WaitingCall Dequeue(Lane lane)
    {
        var call = (lane.Suspects.Count > 0 ? lane.Suspects : lane.Calls).Dequeue();
        lane.Bytes -= call.Call.RequestBytes;
        Count--;
        return call;
    }

    private bool MayTake(Lane lane, AdmissionBatch batch)
    {
        if (!IsAlone(lane) && !IsCrowded(lane))
        {
            return true;
        }

        if (lane.InFlight > 0 || (IsAlone(lane) && _alone is not null))
        {
            return false;
        }

        // Others that wait come first, once.
        lane.IsPassedOver = batch.Calls.Count > 0 || (!lane.IsPassedOver && _turns.Exists(l => !IsAlone(l) && !IsCrowded(l)));
        return !lane.IsPassedOver;
    }

    private bool IsAlone(Lane lane) =>
        lane.Suspects.Count > 0 || (lane.Failures > 0 && time.GetElapsedTime(lane.FailedAt) < AloneFor);

    private bool IsCrowded(Lane lane) => lane.Count > 0 && (lane.Count + lane.InFlight > Share || lane.Bytes > ShareBytes);

    private void TakeOwn(Lane lane, AdmissionBatch batch)
    {
        var isAlone = IsAlone(lane);
        if (isAlone)
        {
            _alone = lane;
            batch.IsAlone = true;
        }

        // Alone on this connection: a full batch only where nobody else waits for either.
        Move(lane, batch, lane.Suspects.Count > 0 ? 1 : isAlone || _turns.Count > 1 ? Share : maxBatch);
        batch.IsHeld = true;
        _held++;
    }

    private void Move(Lane lane, AdmissionBatch batch, int most)
    {
        var (taken, bytes) = (0, 0L);
        while (batch.Calls.Count < most && lane.Count > 0
            && (taken == 0 || bytes + lane.First.Call.RequestBytes <= ShareBytes))
        {
            var call = Dequeue(lane);
            if (call.IsGivenUp)
            {
                continue;
            }

            bytes += call.Call.RequestBytes;
            batch.Calls.Add(call);
            taken++;
        }

        lane.InFlight += taken;
        batch.Lanes.Add((lane, taken));
        _turns.Remove(lane);
        if (lane.Count > 0)
        {
            _turns.Add(lane);
        }
    }

    internal sealed class Lane(string name)
    {
        public string Name { get; } = name;

        public Queue<WaitingCall> Calls { get; } = new();

        /// <summary>These come before the others, each by itself.</summary>
        public Queue<WaitingCall> Suspects { get; } = new();

        public int Count => Suspects.Count + Calls.Count;

        public WaitingCall First => (Suspects.Count > 0 ? Suspects : Calls).Peek();

        public long Bytes { get; set; }

        public int InFlight { get; set; }

        public int Failures { get; set; }

        public long FailedAt { get; set; }

        public bool IsPassedOver { get; set; }
    }
}

/// <summary>Calls that are decided by one statement.</summary>
internal sealed class AdmissionBatch
{
    public List<WaitingCall> Calls { get; } = [];

    public List<(AdmissionLanes.Lane Lane, int Calls)> Lanes { get; } = [];

    /// <summary>Calls of one organization that has made a batch fail.</summary>
    public bool IsAlone { get; set; }

    /// <summary>Whether all its calls are of an organization that has batches of its own.</summary>
    public bool IsHeld { get; set; }
}

/// <summary>A call that waits for its decision.</summary>
internal sealed class WaitingCall(AdmissionRequest call)
{
    private volatile bool _isGivenUp;

    /// <summary>The caller has stopped waiting, so nothing may be recorded as requested.</summary>
    public bool IsGivenUp
    {
        get => _isGivenUp;
        set => _isGivenUp = value;
    }

    /// <summary>A batch with it failed: it is decided by itself.</summary>
    public bool IsSuspect { get; set; }

    public AdmissionRequest Call { get; } = call;

    public TaskCompletionSource<Decision> Decided { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}
