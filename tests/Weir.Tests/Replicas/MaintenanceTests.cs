using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Replicas;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Replicas;

/// <summary>The rounds of maintenance, with a clock of the tests.</summary>
public sealed class MaintenanceTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_half_minute_a_round_moves_counted_denials_rolls_up_usage_and_purges()
    {
        var organization = (await World.CreateAsync(database)).OrganizationId;
        await ExecuteAsync(
            """
            insert into weir.denial_counts (organization_id, minute, kind, reason, actor_kind, user_id, occurrences, own_rows, last_at)
            values ($1, '2026-01-02T03:04Z', 'admin_read', 'forbidden', 'user', gen_random_uuid(), 12, 10, now())
            """, organization);
        await ExecuteAsync(
            "insert into weir.idempotency_keys (organization_id, key, request_hash, answer, created_at) values ($1, 'old', sha256('x'), "
                + "'{}', now() - interval '31 days')", organization);
        await ExecuteAsync(
            "insert into weir.idempotency_keys (organization_id, key, request_hash, answer, created_at) values ($1, 'young', sha256('x'), "
                + "'{}', now() - interval '29 days')", organization);
        var time = new FakeTimeProvider();
        using var maintenance = new Maintenance(database.Pools, new WeirConfig(), time, NullLogger<Maintenance>.Instance);
        await maintenance.StartAsync(Token);

        // The last of a round. Again, because the timer is made only when the service has begun.
        await Until.AsyncTrue(
            async () =>
            {
                time.Advance(Maintenance.Interval);
                return await CountAsync("weir.idempotency_keys where key = 'old'") == 0;
            },
            "the purge");
        await maintenance.StopAsync(Token);
        (await CountAsync("weir.idempotency_keys where key = 'young'")).ShouldBe(1);
        (await CountAsync("weir.denial_counts")).ShouldBe(0);
        (await CountAsync("public.mcp_interaction_logs where phase = 'denied' and occurrences = 2")).ShouldBe(1);
        (await CountAsync("weir.usage_progress")).ShouldBe(1);
    }

    [Fact]
    public async Task The_operator_s_number_of_equal_denials_is_told_to_the_database()
    {
        await new PlatformQueries(database.OwnerUrl).NotifyAsync(new WeirConfig { Maintenance = new() { EqualDenials = 3 } }, Token);

        (await database.Superuser.ScalarAsync<string>(
            "select value::text from weir.settings where name = 'equal_denials'", [], Token)).ShouldBe("3");
    }

    private Task ExecuteAsync(string sql, Guid organization) => database.Superuser.ExecuteAsync(sql, [Sql.Uuid(organization)], Token);

    private async Task<long> CountAsync(string rows) =>
        await database.Superuser.ScalarAsync<long>("select count(*) from " + rows, [], Token);
}
