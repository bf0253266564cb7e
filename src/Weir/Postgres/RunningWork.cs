namespace Weir.Postgres;

/// <summary>How much may be claimed, and what counts as running meanwhile.</summary>
/// <param name="Nodes">The node of each piece, in the order of <paramref name="Organizations"/>; null for what is asked of a remote
/// server.</param>
internal sealed record ClaimableWork(int Limit, int Share, Guid[] Organizations, Guid?[] Nodes);

/// <summary>
/// Work that a worker has claimed for organizations and not ended yet. Each claim names it, so that the database hands out no more than a
/// share to one organization at one node: servers and nodes that hang delay only their own.
/// </summary>
/// <param name="changed">Called when a piece of work ends, because more may be claimed then.</param>
internal sealed class RunningWork(Action changed)
{
    private readonly Lock _lock = new();
    private readonly HashSet<Piece> _pieces = [];

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _pieces.Count;
            }
        }
    }

    /// <summary>
    /// What may be claimed beside what runs. The last half of the places is for organizations that have none running: their remote servers
    /// get nothing more there, so that many organizations whose servers hang leave a place for one whose servers do not.
    /// </summary>
    /// <param name="most">Places in all.</param>
    /// <param name="share">Places of one organization at one node, or for its remote servers.</param>
    public ClaimableWork Claimable(int most, int share)
    {
        lock (_lock)
        {
            var (running, free) = (_pieces.Select(p => (p.OrganizationId, p.NodeId)), most - _pieces.Count);
            if (free <= most / 2)
            {
                // As if their shares ran already.
                running =
                    running.Concat(
                        _pieces.Select(p => p.OrganizationId).Distinct().SelectMany(o => Enumerable.Repeat((o, default(Guid?)), share)));
            }
            else
            {
                free -= most / 2;
            }

            var all = running.ToArray();
            return new ClaimableWork(free, share, Array.ConvertAll(all, r => r.Item1), Array.ConvertAll(all, r => r.Item2));
        }
    }

    /// <summary>Starts one piece of work, which must not throw but when it is cancelled.</summary>
    public Task Start(Guid organizationId, Guid? nodeId, Func<Task> work)
    {
        var piece = new Piece(organizationId, nodeId);
        lock (_lock)
        {
            _pieces.Add(piece);
        }

        return piece.Ended = RunAsync(piece, work);
    }

    /// <summary>Waits for all that runs, however it ends.</summary>
    public async Task EndAsync() =>
        await Task.WhenAll(All(p => p.Ended)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task RunAsync(Piece piece, Func<Task> work)
    {
        try
        {
            await work();
        }
        finally
        {
            lock (_lock)
            {
                _pieces.Remove(piece);
            }

            changed();
        }
    }

    private T[] All<T>(Func<Piece, T> member)
    {
        lock (_lock)
        {
            return [.. _pieces.Select(member)];
        }
    }

    private sealed class Piece(Guid organizationId, Guid? nodeId)
    {
        public Guid OrganizationId { get; } = organizationId;

        public Guid? NodeId { get; } = nodeId;

        public Task Ended { get; set; } = Task.CompletedTask;
    }
}
