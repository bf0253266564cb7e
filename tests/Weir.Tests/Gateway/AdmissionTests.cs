using Microsoft.Extensions.DependencyInjection;
using Weir.Errors;
using Weir.Gateway;
using Weir.Gateway.Admission;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Gateway;

/// <summary>`weir.admit` itself, through the gateway's own queries.</summary>
public sealed class AdmissionTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    [Fact]
    public async Task One_poisoned_call_in_a_batch_of_64_raises_for_all_and_harms_no_other_when_they_are_decided_alone()
    {
        await using var server = await OddServer.StartAsync();
        var (_, instance) = await weir.AddReadyAsync(server.Url, """{"tools": {"echo": {}}}""");
        var queries = weir.Services.GetRequiredService<AdmissionQueries>();
        var calls = Enumerable.Range(0, 64).Select(i => Call(instance, poisoned: i == 40)).ToArray();

        (await Should.ThrowAsync<WeirException>(() => queries.AdmitAsync(calls))).Code.ShouldNotBe(ErrorCode.Unavailable);
        (await weir.LogAsync()).ShouldNotContain(r => calls.Any(c => c.Key.Id == r.Id), "a batch that raises is undone as a whole");

        await using var queue = new AdmissionQueue(queries.AdmitAsync, queries.RecordDenialAsync, new Weir.Configuration.AdmissionConfig(),
            TimeSpan.FromSeconds(10), TimeProvider.System);
        var decisions = await Task.WhenAll(calls.Select(queue.DecideAsync));
        decisions.Where((_, i) => i != 40).ShouldAllBe(d => d.Admitted);
        decisions[40].Admitted.ShouldBeFalse();
        (await weir.LogAsync()).Count(r => r.Phase == "requested" && calls.Any(c => c.Key.Id == r.Id)).ShouldBe(63);
    }

    [Fact]
    public async Task Garbage_that_only_a_client_can_send_denies_and_does_not_raise()
    {
        await using var server = await OddServer.StartAsync();
        var (_, instance) =
            await weir.AddReadyAsync(server.Url, """{"tools": {"echo": {"args": {"path": {"type": "string", "under": "/data"}}}}}""");
        var queries = weir.Services.GetRequiredService<AdmissionQueries>();
        var decisions = await queries.AdmitAsync(
        [
            Call(instance) with { Arguments = "{" },
            Call(instance) with { Arguments = "[]" },
            Call(instance) with { Arguments = "{\"path\":\"\\ud800\"}" },
            Call(instance) with { Item = new string('x', 10_000) },
            Call(instance) with { Arguments = """{"path":"/data/ok"}""" },
        ]);
        decisions.Take(4).ShouldAllBe(d => !d.Admitted);
        decisions[4].Admitted.ShouldBeTrue();
    }

    [Fact]
    public async Task The_organization_is_a_hint_for_the_lock_and_a_wrong_one_admits_nothing()
    {
        await using var server = await OddServer.StartAsync();
        var (_, instance) = await weir.AddReadyAsync(server.Url, """{"tools": {"echo": {}}}""");
        var queries = weir.Services.GetRequiredService<AdmissionQueries>();
        var wrong =
            await queries.AdmitAsync([Call(instance) with { OrganizationId = Guid.CreateVersion7(TimeProvider.System.GetUtcNow()) }]);
        wrong[0].Reason.ShouldBe("changing");
        wrong[0].EndpointUrl.ShouldBeNull();
        var right = await queries.AdmitAsync([Call(instance) with { OrganizationId = wrong[0].OrganizationId }, Call(instance)]);
        right.ShouldAllBe(d => d.Admitted);
    }

    [Fact]
    public async Task A_statement_of_admission_has_a_limit_of_its_own_and_one_of_an_organization_alone_a_longer_one()
    {
        (await weir.Database.Pools.Admission.ScalarAsync<string>(
            "show statement_timeout", [], TestContext.Current.CancellationToken)).ShouldBe("1s");
        (await weir.Database.Pools.AloneAdmission.ScalarAsync<string>(
            "show statement_timeout", [], TestContext.Current.CancellationToken)).ShouldBe("2s");
    }

    /// <summary>Poisoned: a time that only a faulty replica can send, for which admission raises.</summary>
    private AdmissionRequest Call(Guid instance, bool poisoned = false)
    {
        var now = TimeProvider.System.GetUtcNow();
        return new AdmissionRequest(
            CallKey.At(poisoned ? now.AddDays(-1) : now), OrganizationId: null, Principal.OfKey(AgentKey.Parse(weir.World.AgentKey)!),
            CallKinds.Tool, instance, "echo",
            "{}", "1", 1, 2, new byte[32], "{}");
    }
}
