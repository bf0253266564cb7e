using Weir.Postgres;

namespace Weir.Replicas;

/// <summary>A replica that lately said that it lives, and where its kind reaches it.</summary>
internal sealed record ReplicaAddress(Guid Id, Uri Url);

/// <summary>The other replicas, as of a moment ago.</summary>
internal sealed class ReplicaDirectory(Databases databases, TimeProvider time)
{
    private const string Live = "select id, internal_url from weir.live_replicas()";

    /// <summary>A replica that died in between is found out by calling it.</summary>
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(2);

    private Known _known = new([], long.MinValue);

    /// <summary>Where one replica is reached; null where it is gone. One that is not known yet may have started just now.</summary>
    /// <param name="after">An address that did not answer: looked up anew.</param>
    /// <exception cref="Errors.WeirException">WR009: the database does not answer.</exception>
    public async Task<ReplicaAddress?> FindAsync(Guid id, ReplicaAddress? after, CancellationToken ct) =>
        (after is null ? (await LiveAsync(ct)).FirstOrDefault(r => r.Id == id) : null)
            ?? (await LoadAsync(ct)).FirstOrDefault(r => r.Id == id && r != after);

    /// <exception cref="Errors.WeirException">WR009: the database does not answer.</exception>
    public async Task<IReadOnlyList<ReplicaAddress>> LiveAsync(CancellationToken ct)
    {
        var known = _known;
        if (known.At != long.MinValue && time.GetElapsedTime(known.At) < MaxAge)
        {
            return known.Replicas;
        }

        return await LoadAsync(ct);
    }

    private async Task<IReadOnlyList<ReplicaAddress>> LoadAsync(CancellationToken ct)
    {
        var rows = await databases.Engine.QueryAsync(Live, [], r => new ReplicaAddress(r.GetGuid(0), new Uri(r.GetString(1))), ct);
        _known = new Known(rows, time.GetTimestamp());
        return rows;
    }

    private sealed record Known(IReadOnlyList<ReplicaAddress> Replicas, long At);
}
