using Weir.Errors;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

/// <summary>A grant that is given and revoked in turns, whatever happens meanwhile.</summary>
internal sealed class FickleGrant(FaultyWeir weir, Guid agent) : IDisposable
{
    private static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(700);

    /// <summary>A new one for each turn, so that who sees the same twice knows that nothing was changed in between.</summary>
    private sealed record Held(bool IsRevoked);

    private readonly PeriodicTimer _turn = new(Turn, TimeProvider.System);
    private Held _now = new(false);

    /// <summary>What holds at this moment.</summary>
    public object Now => Volatile.Read(ref _now);

    public int Revokes { get; private set; }

    /// <summary>Whether it was revoked since then, and is.</summary>
    public bool IsRevokedSince(object then) => then is Held { IsRevoked: true } && ReferenceEquals(then, Now);

    public void Dispose() => _turn.Dispose();

    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (await _turn.WaitForNextTickAsync(stop))
            {
                await ChangeAsync("select public.revoke_mcp_access($1, $2)", stop);
                Revokes++;
                Volatile.Write(ref _now, new Held(true));
                await _turn.WaitForNextTickAsync(stop);
                Volatile.Write(ref _now, new Held(false));
                await ChangeAsync($"select public.grant_mcp_access($1, $2, '{FaultyWeir.Grant}')", stop);
            }
        }
        catch (OperationCanceledException)
        {
            // The end.
        }
    }

    /// <summary>Until it is certainly done: one whose answer was lost is done once more.</summary>
    private async Task ChangeAsync(string sql, CancellationToken stop)
    {
        while (true)
        {
            stop.ThrowIfCancellationRequested();
            try
            {
                await weir.World.CallAsync(sql, Weir.Postgres.Sql.Uuid(agent), Weir.Postgres.Sql.Uuid(weir.Instances[FaultyWeir.Shared]));
                return;
            }
            catch (WeirException e) when (e.Code is ErrorCode.Unavailable or ErrorCode.Changing)
            {
                await _turn.WaitForNextTickAsync(stop);
            }
        }
    }
}
