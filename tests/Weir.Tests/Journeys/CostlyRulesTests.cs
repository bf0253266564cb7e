using System.Text.Json;
using Weir.Errors;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys;

/// <summary>
/// An organization whose rules cost as much as they may, and one whose calls stand beside its own in the batches of admission.
/// </summary>
public sealed class CostlyRulesTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    /// <summary>One pattern a little below the maximum, and a text of 4,096 characters that it reads to the end and matches.</summary>
    private const string Costly = """{"tools": {"echo": {"args": {"text": {"matches": "[ab]*a[ab]{34}x"}}}}}""";
    private static readonly string Text =
        string.Concat(Enumerable.Range(0, 4060).Select(n => (n * n / 7) % 2 == 0 ? 'a' : 'b')) + 'a' + new string('b', 34) + 'x';

    [Fact]
    public async Task F04_one_organizations_costly_rules_harm_no_bystander()
    {
        await using var server = await OddServer.StartAsync();
        var (name, instance) = await weir.AddReadyAsync(server.Url, Costly);
        var bystander = await World.CreateAsync(weir.Database);
        await bystander.GrantAsync(
            await bystander.AddRemoteAsync("quiet", server.Url), """{"tools": {"echo": {"args": {"path": {"under": "/data"}}}}}""");
        var quiet = new RawClient(weir.Client(bystander.AgentKey));
        await Until.AsyncTrue(
            async () => (await quiet.ModernAsync("tools/list")).Body.Contains("quiet__echo", StringComparison.Ordinal),
            "the bystander's catalog");

        var attacker = new RawClient(weir.Client(weir.World.AgentKey));
        var attack = Enumerable.Range(0, 48).Select(_ => attacker.CallAsync($"{name}__echo", $$"""{"text":"{{Text}}"}""")).ToArray();
        for (var i = 0; i < 20; i++)
        {
            (await quiet.CallAsync("quiet__echo", """{"path":"/data/file"}""")).Body.ShouldContain("\"ok\"");
        }

        // Decided by the rule: no call of the attacker's made a batch fail.
        foreach (var call in await Task.WhenAll(attack))
        {
            (call.Body.Contains("\"ok\"", StringComparison.Ordinal) || call.ErrorCode == 1008).ShouldBeTrue(call.Body);
        }

        // The grant of the attack: 200 patterns in less than 64 KiB.
        var rules = Enumerable.Range(0, 200).ToDictionary(n => $"a{n}", n => new { matches = $@"\w{{99}}\w{{99}}{n}\w{{0,99}}x" });
        var grant = JsonSerializer.Serialize(new { tools = new { echo = new { args = rules } } });
        grant.Length.ShouldBeLessThan(65536);
        var refused = await Should.ThrowAsync<WeirException>(() => weir.World.GrantAsync(instance, grant));
        (refused.Code, refused.Message.Contains("at most 100", StringComparison.Ordinal)).ShouldBe((ErrorCode.InvalidArgument, true));
    }
}
