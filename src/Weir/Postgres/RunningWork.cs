namespace Weir.Postgres;

/// <summary>
/// Work that a worker has claimed for organizations and not ended yet. Each claim names it, so that the database hands out no more than a share
/// to one organization at one node: servers and nodes that hang delay only their own.
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

    public Guid[] Organizations => All(p => p.OrganizationId);

    /// <summary>The node of each piece, in the order of <see cref="Organizations"/>; null for what is asked of a remote server.</summary>
    public Guid?[] Nodes => All(p => p.NodeId);

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
