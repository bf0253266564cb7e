using Weir.Errors;
using Weir.Postgres;

namespace Weir.Server.Health;

/// <summary>
/// Whether the database answers. Anybody may ask, so one statement a second is for everybody who does, and it does not end when they leave: one that is
/// cancelled is lines in PostgreSQL's log.
/// </summary>
internal sealed class Readiness(Databases databases, TimeProvider time)
{
    /// <summary>How long an answer is given again.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromSeconds(1);

    private const string Probe = "select weir.change_version()";

    private readonly Lock _lock = new();
    private Task<WeirException?>? _asked;
    private long _askedAt;

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
        try
        {
            await databases.Engine.ScalarAsync<long>(Probe, [], CancellationToken.None);
            return null;
        }
        catch (WeirException e)
        {
            return e;
        }
    }
}
