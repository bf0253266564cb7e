using Npgsql;
using Weir.Errors;
using Weir.Postgres;

namespace Weir.Server.Health;

/// <summary>
/// Whether the database answers, and a new session of it too. Anybody may ask, so one statement a second is for everybody who does, and it
/// does not end when they leave: one that is cancelled is lines in PostgreSQL's log.
/// </summary>
internal sealed class Readiness(Databases databases, TimeProvider time)
{
    /// <summary>How long an answer is given again.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromSeconds(1);

    /// <summary>How long a new session is taken for as good as the last one was. While it was not, each question makes one.</summary>
    public static readonly TimeSpan SessionKept = TimeSpan.FromSeconds(10);

    private const string Probe = "select weir.change_version()";

    private readonly Lock _lock = new();
    private Task<WeirException?>? _asked;
    private long _askedAt;
    private long? _sessionAt;

    /// <summary>Why calls cannot be decided; null: they can.</summary>
    public Task<WeirException?> ProblemAsync(CancellationToken ct)
    {
        lock (_lock)
        {
            if (_asked is null || (_asked.IsCompleted && time.GetElapsedTime(_askedAt) >= Kept))
            {
                (_asked, _askedAt) = (AskAsync(), time.GetTimestamp());
            }

            return _asked.WaitAsync(ct);
        }
    }

    private async Task<WeirException?> AskAsync()
    {
        await Task.Yield();
        return await FailureAsync(databases.Engine) ?? await LibraryTroubleAsync();
    }

    /// <summary>
    /// A pool's sessions have loaded the libraries of their functions; after an upgrade of PostgreSQL's package under a running server they
    /// go on, and new ones cannot. Of a new session only that counts: it may fail for want of a free connection, and what Weir has are
    /// enough.
    /// </summary>
    private async Task<WeirException?> LibraryTroubleAsync()
    {
        if (_sessionAt is { } looked && time.GetElapsedTime(looked) < SessionKept)
        {
            return null;
        }

        var failure = await FailureAsync(databases.NewSessions) is { } e && DatabaseErrors.IsLibraryTrouble(e) ? e : null;
        _sessionAt = failure is null ? time.GetTimestamp() : null;
        return failure;
    }

    private static async Task<WeirException?> FailureAsync(NpgsqlDataSource source)
    {
        try
        {
            await source.ScalarAsync<long>(Probe, [], CancellationToken.None);
            return null;
        }
        catch (WeirException e)
        {
            return e;
        }
    }
}
