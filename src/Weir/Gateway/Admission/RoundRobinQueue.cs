namespace Weir.Gateway.Admission;

/// <summary>
/// Waiting items in lanes that take turns, so that who sends most waits longest and nobody else. Not thread-safe.
/// </summary>
internal sealed class RoundRobinQueue<T>
{
    private readonly Dictionary<string, Queue<T>> _lanes = new(StringComparer.Ordinal);
    private readonly Queue<string> _turns = new();

    public int Count { get; private set; }

    public void Enqueue(string lane, T item)
    {
        if (!_lanes.TryGetValue(lane, out var queue))
        {
            _lanes[lane] = queue = new Queue<T>();
            _turns.Enqueue(lane);
        }

        queue.Enqueue(item);
        Count++;
    }

    /// <summary>Up to <paramref name="most"/> items, one per lane and turn.</summary>
    public List<T> Take(int most)
    {
        var taken = new List<T>(Math.Min(most, Count));
        while (taken.Count < most && _turns.TryDequeue(out var lane))
        {
            var queue = _lanes[lane];
            taken.Add(queue.Dequeue());
            Count--;
            if (queue.Count > 0)
            {
                _turns.Enqueue(lane);
            }
            else
            {
                _lanes.Remove(lane);
            }
        }

        return taken;
    }
}
