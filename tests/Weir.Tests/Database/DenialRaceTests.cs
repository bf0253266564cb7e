using Weir.Gateway.Admission;
using Weir.Gateway;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>
/// Denials that repeat, counted by two replicas at once while minutes end: none is lost, none is counted twice, nobody waits in a circle.
/// </summary>
public sealed class DenialRaceTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private const int Organizations = 64;
    private const int Rounds = 30;

    // Of one counter that nobody holds.
    private const string EndOneMinute = """
        update weir.denial_counts set minute = minute - interval '1 hour'
        where id = (select d.id from weir.denial_counts d where d.minute > now() - interval '5 minutes' limit 1 for update skip locked)
        """;

    private Databases _first = null!;
    private Databases _second = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _first = Databases.Open(database.Config);
        _second = Databases.Open(database.Config);
        await database.Superuser.ExecuteAsync(await File.ReadAllTextAsync(Repository.PathOf("db/testing/bulk.sql"), Token), [], Token);
        await database.Superuser.ExecuteAsync($"select bulk.populate({Organizations}, 1, 1, 0)", [], Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }

    [Fact]
    public async Task T16_no_denial_is_lost_or_counted_twice_however_batches_and_the_end_of_a_minute_meet()
    {
        AdmissionRequest[][] batches = [await CallsAsync("n"), await CallsAsync("-n"), await CallsAsync("md5(n::text)")];
        using var done = new CancellationTokenSource();
        var closing = CloseAsync(done.Token);

        await Task.WhenAll(batches.Select((batch, i) => DenyAsync(i == 0 ? _first : _second, batch)));
        await done.CancelAsync();
        await closing;
        await database.Superuser.ExecuteAsync("update weir.denial_counts set minute = minute - interval '1 hour'", [], Token);
        await CloseAllAsync(_first);

        var rows = await database.Superuser.QueryAsync(
            "select organization_id, sum(occurrences), count(*) filter (where occurrences = 1) from public.mcp_interaction_logs where "
                + "phase = 'denied' group by organization_id",
            [],
            r => (Recorded: r.GetInt64(1), Single: r.GetInt64(2)),
            Token);
        rows.Count.ShouldBe(Organizations);
        rows.ShouldAllBe(r => r.Recorded == batches.Length * Rounds);
        // Else nothing would have been counted.
        rows.ShouldContain(r => r.Single < r.Recorded);
    }

    private static async Task DenyAsync(Databases databases, AdmissionRequest[] batch)
    {
        var queries = new AdmissionQueries(databases, Guid.Empty);
        for (var round = 0; round < Rounds; round++)
        {
            (await queries.AdmitAsync([.. batch.Select(c => c with { Key = CallKey.At(TimeProvider.System.GetUtcNow()) })])).ShouldAllBe(
                d => d.Reason == "item_not_granted");
        }
    }

    /// <summary>One minute after the other ends, of one counter each, and another replica moves it.</summary>
    private async Task CloseAsync(CancellationToken done)
    {
        while (!done.IsCancellationRequested)
        {
            await database.Superuser.ExecuteAsync(EndOneMinute, [], Token);
            await CloseAllAsync(_second);
        }
    }

    private static async Task CloseAllAsync(Databases databases)
    {
        while (await databases.Engine.ScalarAsync<int>("select weir.close_denial_counts(10)", [], Token) == 10)
        {
        }
    }

    /// <summary>One call of each organization's agent, of a tool that it may not use.</summary>
    private async Task<AdmissionRequest[]> CallsAsync(string order) =>
    [
        .. await database.Superuser.QueryAsync(
            "select bulk.id('organization', n), bulk.key_id(n), bulk.secret_hash(n), bulk.id('server', n) from generate_series(0, "
                + $"{Organizations - 1}) n order by {order}",
            [],
            r => new AdmissionRequest(
                default, r.GetGuid(0), Principal.OfKey(new AgentKey(r.GetString(1), r.GetFieldValue<byte[]>(2))), CallKinds.Tool,
                r.GetGuid(3), "forbidden", "{}", "1", 1, 2, new byte[32], "{}"),
            Token),
    ];
}
