using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Errors;
using Weir.Gateway.Admission;
using Weir.Gateway;
using Weir.Gateway.Calls;
using Weir.Gateway.Http;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Database;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Gateway.Endpoint;

public sealed class RefusalRecordTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    /// <summary>Half of the time after which a statement is given up.</summary>
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(5);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task F07_malformed_requests_that_wait_for_one_row_take_one_connection_and_all_are_counted()
    {
        var world = await RaceWorld.CreateAsync(database.Superuser);
        var record = new RefusalRecord(
            refused => new AdmissionQueries(database.Pools, Guid.Empty).RecordDenialsAsync([.. refused.Select(r => (r.Request, r.Reason))]),
            NullLogger.Instance);
        Task[] waiting;
        await using (var held = await HeldTransaction.BeginAsync(database.Superuser))
        {
            await held.RunAsync("lock table weir.denial_counts in share mode");
            waiting = [.. Enumerable.Range(0, 1000).Select(_ => record.AddAsync(Refused(world.Call(byPat: false))))];
            await Until.AsyncTrue(async () => await WaitingAsync() > 0, "a refusal waits for its row");

            var free = Enumerable.Range(0, database.Config.PoolSize - 1)
                .Select(_ => database.Pools.Engine.OpenConnectionAsync(Token).AsTask()).ToArray();
            await Task.WhenAll(free).WaitAsync(AtOnce, TimeProvider.System, Token);
            (await WaitingAsync()).ShouldBe(1);
            foreach (var connection in free)
            {
                await (await connection).DisposeAsync();
            }
        }

        await Task.WhenAll(waiting);
        (await database.Superuser.ScalarAsync<long>(
            world.Expand("select sum(occurrences) from weir.denial_counts where organization_id = {org}"), [], Token)).ShouldBe(1000);
        // Ten of each minute: another may have begun.
        var rows = await database.Superuser.ScalarAsync<long>(
            world.Expand("select sum(least(occurrences, own_rows)) from weir.denial_counts where organization_id = {org}"), [], Token);
        rows.ShouldBeInRange(10, 20);
        (await database.Superuser.ScalarAsync<long>(
            world.Expand(
                "select count(*) from public.mcp_interaction_logs where organization_id = {org} and phase = 'denied' and item = 'bad'"), [],
                Token)).ShouldBe(rows);
    }

    [Fact]
    public async Task F07_of_one_principal_one_statement_is_written_at_once_and_of_all_two()
    {
        var (running, most, written) = (new ConcurrentDictionary<string, int>(), 0, 0);
        var ends = new SemaphoreSlim(0);
        var record = new RefusalRecord(
            async refused =>
            {
                refused.Count.ShouldBeLessThanOrEqualTo(RefusalRecord.MaxBatch);
                var name = refused.Select(r => r.Request.Principal.Name).Distinct().Single();
                running.TryAdd(name, 1).ShouldBeTrue();
                most = Math.Max(most, running.Count);
                await ends.WaitAsync(Token);
                Interlocked.Add(ref written, refused.Count);
                running.TryRemove(name, out var _);
            },
            NullLogger.Instance);

        Task[] all = [.. Enumerable.Range(0, 4000).Select(i => record.AddAsync(Refused(Call(i % 4))))];
        await Until.True(() => running.Count == 2, "two are being written");
        ends.Release(100);
        await Task.WhenAll(all);

        most.ShouldBe(2);
        written.ShouldBe(4000);
    }

    [Fact]
    public async Task F07_one_that_cannot_be_recorded_costs_no_other_its_record()
    {
        var written = new ConcurrentBag<string>();
        var first = new TaskCompletionSource();
        var record = new RefusalRecord(
            async refused =>
            {
                await first.Task;
                if (refused.Any(r => r.Request.Item == "poison"))
                {
                    throw new WeirException(ErrorCode.InvalidArgument, "No text.");
                }

                foreach (var one in refused)
                {
                    written.Add(one.Request.Item);
                }
            },
            NullLogger.Instance);

        Task[] all = [.. Enumerable.Range(0, 20).Select(i => record.AddAsync(Refused(Call(0), i == 7 ? "poison" : $"{i}")))];
        first.SetResult();
        await Task.WhenAll(all);

        written.Count.ShouldBe(19);
        written.Distinct().Count().ShouldBe(19);
    }

    private static RefusedRequest Refused(AdmissionRequest call, string item = "bad") => new(
        call
            with
            {
                Key = CallKey.At(TimeProvider.System.GetUtcNow()),
                Kind = CallKinds.Error,
                InstanceId = null,
                Item = item,
                Arguments = null,
            }, "invalid_request");

    private static AdmissionRequest Call(int principal) => new(
        default, OrganizationId: null, Principal.OfPerson(new Guid(principal, 0, 0, new byte[8]), Guid.Empty), CallKinds.Error,
        InstanceId: null, "", Arguments: null, "1", 1, 2, new byte[32], "");

    private Task<long> WaitingAsync() => database.Superuser.ScalarAsync<long>(
        "select count(*) from pg_locks where relation = 'weir.denial_counts'::regclass and not granted", [], Token);
}
