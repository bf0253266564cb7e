using Weir.Configuration;
using Weir.Gateway;
using Weir.Gateway.Admission;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>
/// The counters of limited grants, when several connections count at once: exact, never beyond the limit, and never in a circle.
/// </summary>
public sealed class LimitRaceTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private const int Organizations = 64;
    private const int Rounds = 30;

    private Databases _first = null!;
    private Databases _second = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _first = Databases.Open(database.Config);
        _second = Databases.Open(database.Config);
        if (!await database.Superuser.ScalarAsync<bool>("select to_regnamespace('bulk') is not null", [], Token))
        {
            await database.Superuser.ExecuteAsync(await File.ReadAllTextAsync(Repository.PathOf("db/testing/bulk.sql"), Token), [], Token);
            // One agent and one server each; its grant has a limit.
            await database.Superuser.ExecuteAsync($"select bulk.populate({Organizations}, 1, 1, 0)", [], Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }

    [Fact]
    public async Task Batches_over_64_organizations_in_opposite_orders_count_exactly_and_do_not_wait_in_a_circle()
    {
        await LimitAsync("""{"per_minute": 1000000000, "per_day": 1000000000}""");
        var forth = await CallsAsync("n");
        var back = await CallsAsync("-n");
        var shuffled = await CallsAsync("md5(n::text)");
        await AdmitAllAsync(Rounds, forth, back, shuffled);

        var used = await database.Superuser.QueryAsync("select used from weir.grant_usage", [], r => r.GetInt64(0), Token);
        used.Count.ShouldBe(2 * Organizations);
        used.ShouldAllBe(u => u == 3 * Rounds);
    }

    [Fact]
    public async Task S16_of_forty_calls_at_once_a_limit_of_ten_admits_exactly_ten()
    {
        await LimitAsync("""{"per_minute": 10}""");
        var call = (await CallsAsync("n"))[0];
        await using var one = Queue(_first);
        await using var two = Queue(_second);

        var decisions = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => (i % 2 == 0 ? one : two).DecideAsync(Anew(call))));

        decisions.Count(d => d.Admitted).ShouldBe(10);
        decisions.Where(d => !d.Admitted).ShouldAllBe(d => d.Reason == "limit" && d.EndpointUrl == null);
        (await database.Superuser.ScalarAsync<long>(
            "select used from weir.grant_usage where grant_id = bulk.id('grant', 0)", [], Token)).ShouldBe(10);
    }

    private static AdmissionQueue Queue(Databases databases)
    {
        var queries = new AdmissionQueries(databases, Guid.Empty);
        // Small batches, so that many of them meet.
        return new AdmissionQueue(queries.AdmitAsync, queries.RecordDenialAsync, new AdmissionConfig { MaxBatch = 3 },
            TimeSpan.FromSeconds(30), TimeProvider.System);
    }

    private static AdmissionRequest Anew(AdmissionRequest call) => call with { Key = CallKey.At(TimeProvider.System.GetUtcNow()) };

    /// <summary>Each batch again and again on a connection of its own. One that met a deadlock would raise.</summary>
    private async Task AdmitAllAsync(
        int rounds, params AdmissionRequest[][] batches) => await Task.WhenAll(batches.Select(async (batch, i) =>
    {
        var queries = new AdmissionQueries(i == 0 ? _first : _second, Guid.Empty);
        for (var round = 0; round < rounds; round++)
        {
            (await queries.AdmitAsync([.. batch.Select(Anew)])).ShouldAllBe(d => d.Admitted);
        }
    }));

    private async Task LimitAsync(string limits) => await database.Superuser.ExecuteAsync(
        $$$"""
        set session_replication_role = replica;
        update public.agent_mcp_permissions set permissions = jsonb_build_object('tools', '{"tool_*": {}}'::jsonb, 'limits', '{{{limits}}}'::jsonb);
        delete from weir.grant_usage;
        -- a window that does not end while the test runs
        insert into weir.grant_usage (organization_id, grant_id, period, window_start, used)
        select g.organization_id, g.id, l.period, 'infinity', 0 from public.agent_mcp_permissions g, jsonb_object_keys(g.permissions -> 'limits') l(period)
        """,
        [],
        Token);

    /// <summary>One call of each organization's agent.</summary>
    private async Task<AdmissionRequest[]> CallsAsync(string order) =>
    [
        .. await database.Superuser.QueryAsync(
            "select bulk.id('organization', n), bulk.key_id(n), bulk.secret_hash(n), bulk.id('server', n) from generate_series(0, "
                + $"{Organizations - 1}) n order by {order}",
            [],
            r => new AdmissionRequest(
                default, r.GetGuid(0), Principal.OfKey(new AgentKey(r.GetString(1), r.GetFieldValue<byte[]>(2))), CallKinds.Tool,
                r.GetGuid(3), "tool_1", "{}", "1", 1, 2, new byte[32], "{}"),
            Token),
    ];
}
